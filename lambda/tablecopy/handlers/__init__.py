"""The functions' entry points: read the environment, build the objects, call one function."""
