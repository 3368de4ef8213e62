//! Makes one stream of a watch a namespace, with what is readable in it. Pure.
//!
//! A store takes one list at a time and is whole after it. So the first lists of all namespaces become one, given out
//! when the last of them is complete; a namespace that is listed again later shows what came and what went.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;

use kube::runtime::reflector::Store;
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};

use super::readable::Readable;
use super::unreadable::Unreadable;

/// What one watch told.
pub enum Told<K> {
    /// Something happened.
    Happened(Event<K>),
    /// Its list was refused: nobody waits for this namespace.
    Forbidden,
}

/// Namespace and name.
type Id = (String, String);

/// The watches so far.
pub struct Merge<K: Resource<DynamicType = ()> + Clone + 'static> {
    watches: Vec<NamespaceWatch>,
    /// Until every namespace was listed: what there is by now.
    first: Option<BTreeMap<(usize, Id), K>>,
    store: Store<K>,
    unreadable: Arc<Unreadable>,
}

struct NamespaceWatch {
    namespace: Option<String>,
    is_listed: bool,
    /// What the list that is under way named.
    listing: BTreeSet<Id>,
}

impl<K> Merge<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    /// Nothing was told yet. `store` is the one that the stream goes into.
    pub fn new(namespaces: Vec<Option<String>>, store: Store<K>, unreadable: Arc<Unreadable>) -> Self {
        let watch = |namespace| NamespaceWatch { namespace, is_listed: false, listing: BTreeSet::new() };
        let watches = namespaces.into_iter().map(watch).collect();
        Self { watches, first: Some(BTreeMap::new()), store, unreadable }
    }

    /// What the store and the controller are to see after that watch told something.
    pub fn step(&mut self, watch: usize, told: Told<Readable<K>>) -> Vec<Event<K>> {
        match told {
            Told::Happened(Event::Init) => {
                if let Some(first) = &mut self.first {
                    first.retain(|(of, _), _| *of != watch);
                }
                if let Some(watch) = self.watches.get_mut(watch) {
                    watch.listing.clear();
                }
                Vec::new()
            }
            Told::Happened(Event::InitApply(object)) => {
                if let Some(watch) = self.watches.get_mut(watch) {
                    watch.listing.insert(id(&object));
                }
                self.seen(watch, object)
            }
            Told::Happened(Event::Apply(object)) => self.seen(watch, object),
            Told::Happened(Event::Delete(object)) => self.gone(watch, &id(&object)).into_iter().collect(),
            Told::Happened(Event::InitDone) => self.listed(watch),
            Told::Forbidden if self.first.is_some() => self.complete(watch),
            Told::Forbidden => Vec::new(),
        }
    }

    /// What cannot be read stays in the store as it was when it could, and is nobody's to reconcile.
    fn seen(&mut self, watch: usize, object: Readable<K>) -> Vec<Event<K>> {
        self.unreadable.note(&object);
        let id = id(&object);
        match (object.into_content(), &mut self.first) {
            (Ok(object), Some(first)) => {
                first.insert((watch, id), object);
                Vec::new()
            }
            (Ok(object), None) => vec![Event::Apply(object)],
            (Err(_), _) => Vec::new(),
        }
    }

    fn gone(&mut self, watch: usize, id: &Id) -> Option<Event<K>> {
        self.unreadable.forget::<K>(&id.0, &id.1);
        if let Some(first) = &mut self.first {
            first.remove(&(watch, id.clone()));
            return None;
        }
        let is_it = |object: &K| object.name_any() == id.1 && object.namespace().unwrap_or_default() == id.0;
        self.store.find(is_it).map(|object| Event::Delete(object.as_ref().clone()))
    }

    fn listed(&mut self, watch: usize) -> Vec<Event<K>> {
        let Some(NamespaceWatch { namespace, listing, .. }) = self.watches.get_mut(watch) else {
            return Vec::new();
        };
        let (namespace, listing) = (namespace.clone(), mem::take(listing));
        let is_here = |of: &str| namespace.as_deref().is_none_or(|namespace| namespace == of);
        self.unreadable
            .keep_only::<K>(|of, name| !is_here(of) || listing.contains(&(of.to_owned(), name.to_owned())));
        if self.first.is_some() {
            return self.complete(watch);
        }
        let went =
            |object: &K| is_here(&object.namespace().unwrap_or_default()) && !listing.contains(&id(object));
        let went = self.store.state_filter(went);
        went.into_iter().map(|object| Event::Delete(object.as_ref().clone())).collect()
    }

    fn complete(&mut self, watch: usize) -> Vec<Event<K>> {
        if let Some(watch) = self.watches.get_mut(watch) {
            watch.is_listed = true;
        }
        if self.watches.iter().any(|watch| !watch.is_listed) {
            return Vec::new();
        }
        let all = self.first.take().unwrap_or_default().into_values().map(Event::InitApply);
        [Event::Init].into_iter().chain(all).chain([Event::InitDone]).collect()
    }
}

fn id<K: ResourceExt>(object: &K) -> Id {
    (object.namespace().unwrap_or_default(), object.name_any())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seating_event::fixtures::arena_night;
    use boxoffice_crds::SeatingEvent;
    use kube::runtime::reflector::{self, store::Writer};
    use serde_json::json;

    struct Stream {
        merge: Merge<SeatingEvent>,
        writer: Writer<SeatingEvent>,
        unreadable: Arc<Unreadable>,
    }

    impl Stream {
        fn of(namespaces: &[&str]) -> Self {
            let (reader, writer) = reflector::store();
            let unreadable = Arc::new(Unreadable::default());
            let namespaces = namespaces.iter().map(|namespace| Some((*namespace).to_owned())).collect();
            let merge = Merge::new(namespaces, reader, Arc::clone(&unreadable));
            Self { merge, writer, unreadable }
        }

        fn tell(&mut self, watch: usize, told: Told<Readable<SeatingEvent>>) -> Vec<String> {
            let events = self.merge.step(watch, told);
            for event in &events {
                self.writer.apply_watcher_event(event);
            }
            events.iter().map(ToString::to_string).collect()
        }

        fn list(&mut self, watch: usize, shows: &[Readable<SeatingEvent>]) -> Vec<String> {
            let mut told = self.tell(watch, Told::Happened(Event::Init));
            for show in shows {
                told.extend(self.tell(watch, Told::Happened(Event::InitApply(show.clone()))));
            }
            told.extend(self.tell(watch, Told::Happened(Event::InitDone)));
            told
        }

        fn stored(&self) -> BTreeSet<String> {
            self.writer.as_reader().state().iter().map(|show| show.name_any()).collect()
        }
    }

    fn show(namespace: &str, name: &str) -> Readable<SeatingEvent> {
        with(namespace, name, json!("Arena Night"))
    }

    fn with(namespace: &str, name: &str, title: serde_json::Value) -> Readable<SeatingEvent> {
        let mut show = serde_json::to_value(arena_night()).unwrap();
        show["metadata"] = json!({"namespace": namespace, "name": name});
        show["spec"]["title"] = title;
        serde_json::from_value(show).unwrap()
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_store_is_whole_once_every_namespace_was_listed() {
        let mut stream = Stream::of(&["a", "b"]);
        assert!(stream.list(0, &[show("a", "one")]).is_empty());
        // Meanwhile the first one goes on.
        assert!(stream.tell(0, Told::Happened(Event::Apply(show("a", "two")))).is_empty());
        assert!(stream.tell(0, Told::Happened(Event::Delete(show("a", "one")))).is_empty());
        let told = stream.list(1, &[show("b", "three")]);
        assert_eq!(told, ["Init", "InitApply(two)", "InitApply(three)", "InitDone"]);
        assert_eq!(stream.stored(), names(&["two", "three"]));
    }

    #[test]
    fn a_namespace_that_is_listed_again_shows_what_went() {
        let mut stream = Stream::of(&["a", "b"]);
        stream.list(0, &[show("a", "one"), show("a", "two")]);
        stream.list(1, &[show("b", "three")]);
        assert_eq!(stream.list(0, &[show("a", "two")]), ["Apply(two)", "Delete(one)"]);
        assert_eq!(stream.stored(), names(&["two", "three"]));
    }

    #[test]
    fn nobody_waits_for_a_namespace_that_may_not_be_listed() {
        let mut stream = Stream::of(&["a", "b"]);
        stream.list(0, &[show("a", "one")]);
        assert_eq!(stream.tell(1, Told::Forbidden), ["Init", "InitApply(one)", "InitDone"]);
        assert!(stream.tell(1, Told::Forbidden).is_empty());
        stream.list(1, &[show("b", "three")]);
        assert_eq!(stream.stored(), names(&["one", "three"]));
    }

    #[test]
    fn what_cannot_be_read_stays_as_it_was_known_until_it_goes() {
        let mut stream = Stream::of(&["a"]);
        let unreadable = with("a", "one", json!(7));
        stream.list(0, &[show("a", "one"), with("a", "two", json!(7))]);
        assert_eq!(stream.stored(), names(&["one"]));
        assert!(stream.tell(0, Told::Happened(Event::Apply(unreadable.clone()))).is_empty());
        assert!(stream.unreadable.holds("SeatingEvent", "a", "one"));
        assert!(stream.list(0, std::slice::from_ref(&unreadable)).is_empty());
        assert_eq!(stream.stored(), names(&["one"]));
        assert!(!stream.unreadable.holds("SeatingEvent", "a", "two"), "it went");
        assert_eq!(stream.tell(0, Told::Happened(Event::Delete(unreadable))), ["Delete(one)"]);
        assert!(!stream.unreadable.holds("SeatingEvent", "a", "one"));
    }

    #[test]
    fn what_was_put_right_is_seen() {
        let mut stream = Stream::of(&["a"]);
        stream.list(0, &[with("a", "one", json!(7))]);
        assert_eq!(stream.tell(0, Told::Happened(Event::Apply(show("a", "one")))), ["Apply(one)"]);
        assert!(!stream.unreadable.holds("SeatingEvent", "a", "one"));
    }
}
