"""ospec: one application spec to any platform with any rollout strategy, safely."""
