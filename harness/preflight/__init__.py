"""What must hold before the first container: both arms are what they say they are."""
