"""Tools on top of the engine, for people at a terminal; nothing imports them."""
