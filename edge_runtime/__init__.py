"""The ground floor: engines, sources, the counting core, and the types and errors of all rooms."""
