//! `org.apache.kafka.connect.data.Values`: text to values, values to text, conversions between types,
//! inferred schemas (spec `data.md` 1.7). The header format and the literals of `InsertHeader`.

mod convert;
mod infer;
mod parse;
mod render;
mod temporal;
mod tokens;

pub use convert::{
    convert_to, convert_to_boolean, convert_to_byte, convert_to_date, convert_to_decimal,
    convert_to_double, convert_to_float, convert_to_integer, convert_to_list, convert_to_long,
    convert_to_map, convert_to_short, convert_to_struct, convert_to_time, convert_to_timestamp,
};
pub use infer::infer_schema;
pub use parse::{PARSE_NESTING_MAX, parse_string};
pub use render::{convert_to_string, instant_text};
