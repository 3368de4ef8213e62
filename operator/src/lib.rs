//! The operator: turns custom resources into workers, topics, consumer groups and inventory.
