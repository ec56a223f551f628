"""The commands, one file each: parse, call, print; what is heavy is imported when it is needed."""
