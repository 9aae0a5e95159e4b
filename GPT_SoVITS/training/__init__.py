"""Training of both stages on Lightning: data, modules, exact resume, export of a talker."""
