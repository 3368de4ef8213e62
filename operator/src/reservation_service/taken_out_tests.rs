//! The lists have every field that an API server knows, or say why not.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::DeploymentSpec;
use k8s_openapi::api::core::v1::{Container, PodSpec, ServiceSpec};
use k8s_openapi::api::policy::v1::PodDisruptionBudgetSpec;
use kube::api::DynamicObject;
use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::json;

use super::*;
use crate::reservation_service::build::build;
use crate::reservation_service::fixtures::main_service;
use crate::reservation_service::validate::validate;
use boxoffice_crds::ReservationService;

const NONE: &[Arc<ReservationService>] = &[];

/// What a type asks to be read from: its fields.
#[derive(Debug)]
struct Asked(Vec<&'static str>);

impl fmt::Display for Asked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.0)
    }
}

impl std::error::Error for Asked {}

impl Error for Asked {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(Vec::new())
    }
}

struct Asks;

impl<'de> Deserializer<'de> for Asks {
    type Error = Asked;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Asked> {
        Err(Asked(Vec::new()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Asked> {
        Err(Asked(fields.to_vec()))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn fields<T: for<'de> Deserialize<'de> + fmt::Debug>() -> BTreeSet<String> {
    T::deserialize(Asks).unwrap_err().0.into_iter().map(str::to_owned).collect()
}

/// What the operator says of an object of a kind at that place.
fn said(kind: &str, at: &str) -> BTreeSet<String> {
    let desired = build(&validate(&main_service(), NONE, "boxoffice/workers:1").unwrap()).unwrap();
    let is_of = |object: &&DynamicObject| object.types.as_ref().is_some_and(|types| types.kind == kind);
    let object = desired.all().find(is_of).unwrap();
    object.data.pointer(at).and_then(Value::as_object).unwrap().keys().cloned().collect()
}

/// Fails where the API server knows a field that is none of these, or one of these is no field.
fn is_complete(known: &BTreeSet<String>, said: &BTreeSet<String>, lists: &[&[&str]], left: &[&str]) {
    let listed: Vec<&str> = lists.concat();
    let strange: Vec<_> = listed.iter().chain(left).filter(|field| !known.contains(**field)).collect();
    assert!(strange.is_empty(), "no fields: {strange:?}");
    let is_open = |field: &&String| {
        let name = field.as_str();
        !listed.contains(&name) && !left.contains(&name) && !said.contains(name)
    };
    let open: Vec<_> = known.iter().filter(is_open).collect();
    assert!(open.is_empty(), "say what becomes of {open:?}");
    let twice: Vec<_> = left.iter().filter(|field| listed.contains(field)).collect();
    assert!(twice.is_empty(), "taken out and left: {twice:?}");
}

#[test]
fn every_field_of_a_deployment_is_said_taken_out_or_left_for_a_reason() {
    let of = "/spec";
    is_complete(&fields::<DeploymentSpec>(), &said("Deployment", of), &[&OF_DEPLOYMENT], &[]);
    // The older name of serviceAccountName, which the API server keeps the same; and what no Deployment may say.
    let left = ["serviceAccount", "activeDeadlineSeconds", "ephemeralContainers"];
    let of = "/spec/template/spec";
    is_complete(&fields::<PodSpec>(), &said("Deployment", of), &[&LISTS_OF_PODS, &OF_PODS], &left);
    let of = "/spec/template/spec/containers/0";
    is_complete(&fields::<Container>(), &said("Deployment", of), &[&LISTS_OF_WORKER, &OF_WORKER], &[]);
}

#[test]
fn every_field_of_a_service_is_said_taken_out_or_left_for_a_reason() {
    // What the cluster gives; and what goes with the type.
    let given = ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"];
    let left = [&given[..], &["allocateLoadBalancerNodePorts", "healthCheckNodePort", "loadBalancerClass"]];
    is_complete(&fields::<ServiceSpec>(), &said("Service", "/spec"), &[&OF_SERVICE], &left.concat());
}

#[test]
fn every_field_of_a_budget_is_said_or_taken_out() {
    let said = said("PodDisruptionBudget", "/spec");
    is_complete(&fields::<PodDisruptionBudgetSpec>(), &said, &[&OF_BUDGET], &[]);
}

#[test]
fn what_the_api_server_fills_in_is_a_default_and_anything_else_is_none() {
    assert!(is_default("dnsPolicy", &json!("ClusterFirst")));
    assert!(is_default("progressDeadlineSeconds", &json!(600)));
    assert!(!is_default("dnsPolicy", &json!("Default")));
    assert!(!is_default("hostNetwork", &json!(true)));
}
