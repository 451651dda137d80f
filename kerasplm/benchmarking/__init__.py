"""Measure kerasplm on this machine: `kerasplm benchmark`."""
