"""What an expression is: ops, tensors, registers, graphs and updates."""
