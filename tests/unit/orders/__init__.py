"""The order system, module by module, without any network."""
