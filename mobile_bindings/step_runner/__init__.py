"""What the checks of the bindings share: named steps, and how they are run and added up."""
