"""What a person sees and keeps: console, data log, picture, shape file."""
