//! Tests on real servers, run by `make test SUITES=integration`: one module a subject.
