"""What a command takes where it is not told: the project file, or what lies in the folder."""
