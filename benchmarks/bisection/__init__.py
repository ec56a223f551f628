"""Whether `affnet verify --bisect` names faults that were planted in files."""
