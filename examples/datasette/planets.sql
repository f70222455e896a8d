-- The planets of the Sun and their large moons. Distances from the Sun in millions of kilometres, diameters in
-- kilometres, years in days.
CREATE TABLE planets (
    name TEXT PRIMARY KEY,
    diameter_km INTEGER NOT NULL,
    distance_mkm REAL NOT NULL,
    year_days REAL NOT NULL
);
INSERT INTO planets VALUES
    ('Mercury', 4879, 57.9, 88.0),
    ('Venus', 12104, 108.2, 224.7),
    ('Earth', 12756, 149.6, 365.2),
    ('Mars', 6792, 228.0, 687.0),
    ('Jupiter', 142984, 778.5, 4331),
    ('Saturn', 120536, 1432.0, 10747),
    ('Uranus', 51118, 2867.0, 30589),
    ('Neptune', 49528, 4515.0, 59800);

CREATE TABLE moons (
    name TEXT PRIMARY KEY,
    planet TEXT NOT NULL REFERENCES planets (name),
    diameter_km INTEGER NOT NULL
);
INSERT INTO moons VALUES
    ('Moon', 'Earth', 3475),
    ('Io', 'Jupiter', 3643),
    ('Europa', 'Jupiter', 3122),
    ('Ganymede', 'Jupiter', 5268),
    ('Callisto', 'Jupiter', 4821),
    ('Titan', 'Saturn', 5150),
    ('Rhea', 'Saturn', 1527),
    ('Iapetus', 'Saturn', 1469),
    ('Dione', 'Saturn', 1123),
    ('Tethys', 'Saturn', 1062),
    ('Titania', 'Uranus', 1577),
    ('Oberon', 'Uranus', 1523),
    ('Umbriel', 'Uranus', 1169),
    ('Ariel', 'Uranus', 1158),
    ('Triton', 'Neptune', 2707);
