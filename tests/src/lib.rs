//! The harness that starts real servers, the conformance suites, and the integration and end-to-end tests.
