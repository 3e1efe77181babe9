"""The rules of credit and pay: pure functions. No I/O, no clock, no framework, no float."""
