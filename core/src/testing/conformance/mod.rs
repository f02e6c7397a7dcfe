//! The contracts of the ports as executable suites: every backend runs every case.
