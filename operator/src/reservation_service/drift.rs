//! Whether a live object still has everything that is wanted of it. Pure.
//!
//! Server-side apply would find out too, but as a write; a reconcile that has nothing to change writes nothing (I12).

use serde_json::Value;

/// Whether `live` has everything that `wanted` has. Fields that only `live` has are defaults or somebody else's.
pub fn covers(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| covers(live.get(key).unwrap_or(&Value::Null), value))
        }
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(live, wanted)| covers(live, wanted))
        }
        // The API server drops what is empty.
        (Value::Null, wanted) => is_empty(wanted),
        (Value::String(live), Value::String(wanted)) => live == wanted || same_quantity(live, wanted),
        (live, wanted) => live == wanted,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().all(is_empty),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// The API server writes quantities its own way: `1000m` becomes `1`.
fn same_quantity(one: &str, other: &str) -> bool {
    matches!((quantity(one), quantity(other)), (Some(one), Some(other)) if (one - other).abs() <= f64::EPSILON * one.abs())
}

fn quantity(text: &str) -> Option<f64> {
    const SUFFIXES: [(&str, f64); 11] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("u", 1e-6),
        ("n", 1e-9),
    ];
    let scaled = SUFFIXES.iter().find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor)));
    let (number, factor) = scaled.unwrap_or((text, 1.0));
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_of_the_server_are_no_drift() {
        let live = json!({"spec": {"replicas": 2, "revisionHistoryLimit": 10, "ports": [{"port": 1, "protocol": "TCP"}]}});
        assert!(covers(&live, &json!({"spec": {"replicas": 2, "ports": [{"port": 1}]}})));
        assert!(covers(&live, &json!({"spec": {"nodeSelector": {}, "tolerations": []}})));
    }

    #[test]
    fn a_change_a_loss_and_a_longer_list_are() {
        let live = json!({"replicas": 3, "ports": [1, 2], "labels": {"a": "b"}});
        assert!(!covers(&live, &json!({"replicas": 2})));
        assert!(!covers(&live, &json!({"labels": {"c": "d"}})));
        assert!(!covers(&live, &json!({"ports": [1]})));
    }

    #[test]
    fn quantities_are_compared_by_value() {
        assert!(covers(&json!({"cpu": "1", "memory": "1Gi"}), &json!({"cpu": "1000m", "memory": "1024Mi"})));
        assert!(!covers(&json!({"cpu": "1"}), &json!({"cpu": "1001m"})));
        assert!(!covers(&json!({"image": "a:1"}), &json!({"image": "a:2"})));
    }
}
