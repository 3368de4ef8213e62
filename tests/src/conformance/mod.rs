//! One suite of named behaviours for each port: every implementation of it passes the same one.
