//! The engine of `gc.remap`, linked into the patched interpreter as a static library.
