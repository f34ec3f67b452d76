"""The tables that say how good the models are, and what is measured for them."""
