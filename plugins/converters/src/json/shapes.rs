//! Objects without a schema, read by the names that the last ones had.
//!
//! The objects of a topic have the same members in the same order, most of the time: then no name is read but compared, and
//! the names are there once for all of them ([`MapKeys`]). What comes otherwise is read as it comes, and may be what is
//! expected of the next.

use milena_data::{MapKeys, MapValue, Value};

use super::{
    fast::{Fast, FastReader, GiveUp},
    scan,
};

/// Objects of a message that are remembered, in the order of their beginnings.
const SHAPES_MAX: usize = 16;
/// Objects with longer names are not.
const NAME_BYTES_MAX: usize = 128;
/// The entries for which there is room in an object of which nothing is known.
const ENTRIES: usize = 8;

/// What the last messages' objects were made of.
#[derive(Debug, Default)]
pub(crate) struct Shapes(Vec<Shape>);

/// The names of an object's members.
#[derive(Debug, Default)]
struct Shape {
    keys: Option<MapKeys>,
    /// With their quotes.
    names: Vec<Box<[u8]>>,
    /// Objects that were otherwise, less those that were not.
    misses: u32,
}

/// Where the names that were expected have led.
enum Known {
    /// To the end of the object.
    Ended,
    /// To a member of another name.
    Other,
}

impl FastReader<'_> {
    /// An object without a schema, from its bracket on.
    pub(super) fn any_object(&mut self, depth: usize) -> Fast<Value> {
        let mut map = match std::mem::take(&mut self.spare) {
            Value::Map(map) => map,
            _ => Box::default(),
        };
        let place = self.objects;
        self.objects += 1;
        // Objects within it have shapes of their own.
        let mut shape = match self.shapes.0.get_mut(place) {
            Some(shape) => std::mem::take(shape),
            None => Shape::default(),
        };
        let read = self.members_of(&mut shape, &mut map, depth);
        if let Some(known) = self.shapes.0.get_mut(place) {
            *known = shape;
        } else if place == self.shapes.0.len() && place < SHAPES_MAX {
            self.shapes.0.push(shape);
        }
        read.map(|()| Value::Map(map))
    }

    fn members_of(&mut self, shape: &mut Shape, map: &mut MapValue, depth: usize) -> Fast<()> {
        self.expect(b'{')?;
        let mut values = map.take_keyed();
        values.clear();
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            *map = MapValue::new();
            return Ok(());
        }
        // One bit for each name that came: without it there, no name needs to be compared.
        let mut came = 0_u64;
        match &shape.keys {
            Some(keys) => {
                values.reserve_exact(keys.len());
                let known = self.known_members(&shape.names, &mut values, depth)?;
                let read = values.len();
                map.set_keyed(keys, values);
                if matches!(known, Known::Ended) {
                    shape.misses = shape.misses.saturating_sub(1);
                    return Ok(());
                }
                for name in shape.names.iter().take(read) {
                    let end = name.len().saturating_sub(1);
                    came |= trace(name.get(1..end).unwrap_or_default());
                }
            }
            None => *map = MapValue::with_capacity(ENTRIES),
        }
        loop {
            self.skip_space();
            let name = self.name()?;
            let value = self.any(depth)?;
            let bit = trace(name.as_bytes());
            if came & bit == 0 {
                came |= bit;
                map.push_new(Value::String(name), value);
            } else {
                map.insert(name, value);
            }
            match self.take()? {
                b',' => {}
                b'}' => break,
                _ => return Err(GiveUp),
            }
        }
        shape.missed(map);
        Ok(())
    }

    /// The values of members as long as they have these names.
    fn known_members(
        &mut self,
        names: &[Box<[u8]>],
        values: &mut Vec<Value>,
        depth: usize,
    ) -> Fast<Known> {
        for name in names {
            self.skip_space();
            if !self.rest().starts_with(name) {
                return Ok(Known::Other);
            }
            self.at += name.len();
            self.expect(b':')?;
            values.push(self.any(depth)?);
            match self.take()? {
                b',' => {}
                b'}' => return Ok(Known::Ended),
                _ => return Err(GiveUp),
            }
        }
        Ok(Known::Other)
    }
}

impl Shape {
    /// An object was otherwise: what it was is what is expected, unless that is in vain again and again.
    fn missed(&mut self, map: &MapValue) {
        self.misses = self.misses.saturating_add(1);
        if !self.misses.is_power_of_two() {
            return;
        }
        let names = map.iter().filter_map(|(key, _)| key.as_str());
        let plain = |name: &str| {
            name.len() <= NAME_BYTES_MAX && scan::read_plain(name.as_bytes()) == name.len()
        };
        if !names.clone().all(plain) {
            return;
        }
        // Copied, for a slice would keep the whole batch of messages.
        let keys = names.clone().map(|name| Value::from(name.to_owned()));
        let Some(keys) = MapKeys::new(keys.collect()) else {
            return;
        };
        self.names = names
            .map(|name| [b"\"", name.as_bytes(), b"\""].concat().into())
            .collect();
        self.keys = Some(keys);
    }
}

/// A bit that names of one object seldom share.
fn trace(name: &[u8]) -> u64 {
    let at = |at: usize| name.get(at).map_or(0, |byte| usize::from(*byte));
    let trace =
        name.len() + 5 * at(0) + 11 * at(name.len().wrapping_sub(1)) + 23 * at(name.len() / 2);
    1 << (trace & 63)
}
