"""Composites: functions of tensors that are built from ops, and have no rules of their own."""
