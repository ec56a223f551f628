"""iPhones and Macs, through Core ML."""
