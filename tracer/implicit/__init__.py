"""Solutions of equations, optima and trajectories: differentiated by what they solve, not by how they were found."""
