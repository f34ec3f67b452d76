"""Where faces go: the record and the socket that carries it, and a receiver to try things with."""
