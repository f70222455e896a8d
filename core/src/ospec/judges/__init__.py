"""What releases are judged by."""
