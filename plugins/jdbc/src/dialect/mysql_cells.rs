//! MySQL's values: types of columns, cells of rows, parameters of statements.

use bytes::Bytes;
use milena_data::{Decimal, Text};
use mysql_async::{
    Params, Value,
    consts::{ColumnFlags, ColumnType},
};

use super::{DbError, DbErrorKind};
use crate::cell::{Cell, Column, DAY_SECONDS, SqlType, Stamp, civil_of_days, days_of_civil};

/// The character set of bytes.
const BINARY: u16 = 63;

/// The JDBC type of a type's name in `information_schema`.
pub(super) fn sql_type(data_type: &str, precision: i32) -> SqlType {
    match data_type {
        "tinyint" | "bool" | "boolean" => SqlType::TinyInt,
        "bit" if precision <= 8 => SqlType::Bit,
        "smallint" => SqlType::SmallInt,
        "mediumint" | "int" | "integer" => SqlType::Integer,
        "bigint" => SqlType::BigInt,
        "float" => SqlType::Real,
        "double" | "real" => SqlType::Double,
        "decimal" | "numeric" => SqlType::Decimal,
        "date" | "year" => SqlType::Date,
        "time" => SqlType::Time,
        "datetime" => SqlType::Timestamp,
        "timestamp" => SqlType::TimestampTz,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" | "set"
        | "json" | "uuid" | "inet4" | "inet6" => SqlType::Text,
        _ => SqlType::Binary,
    }
}

/// The column of a result, as far as the protocol tells.
pub(super) fn head(column: &mysql_async::Column) -> Column {
    use ColumnType as T;
    let binary = column.character_set() == BINARY;
    let flags = column.flags();
    let name = match column.column_type() {
        T::MYSQL_TYPE_TINY => "tinyint",
        T::MYSQL_TYPE_SHORT => "smallint",
        T::MYSQL_TYPE_INT24 | T::MYSQL_TYPE_LONG => "int",
        T::MYSQL_TYPE_LONGLONG => "bigint",
        T::MYSQL_TYPE_FLOAT => "float",
        T::MYSQL_TYPE_DOUBLE => "double",
        T::MYSQL_TYPE_DECIMAL | T::MYSQL_TYPE_NEWDECIMAL => "decimal",
        T::MYSQL_TYPE_DATE | T::MYSQL_TYPE_NEWDATE => "date",
        T::MYSQL_TYPE_YEAR => "year",
        T::MYSQL_TYPE_TIME | T::MYSQL_TYPE_TIME2 => "time",
        T::MYSQL_TYPE_DATETIME | T::MYSQL_TYPE_DATETIME2 => "datetime",
        T::MYSQL_TYPE_TIMESTAMP | T::MYSQL_TYPE_TIMESTAMP2 => "timestamp",
        T::MYSQL_TYPE_BIT => "bit",
        T::MYSQL_TYPE_JSON => "json",
        T::MYSQL_TYPE_GEOMETRY => "geometry",
        _ if binary && !flags.intersects(ColumnFlags::ENUM_FLAG | ColumnFlags::SET_FLAG) => {
            "varbinary"
        }
        _ => "varchar",
    };
    let length = i32::try_from(column.column_length()).unwrap_or(i32::MAX);
    let mut head = Column::new(column.name_str(), sql_type(name, length), name);
    head.nullable = !flags.contains(ColumnFlags::NOT_NULL_FLAG);
    head.unsigned = flags.contains(ColumnFlags::UNSIGNED_FLAG);
    head.auto_increment = flags.contains(ColumnFlags::AUTO_INCREMENT_FLAG);
    head.primary_key = flags.contains(ColumnFlags::PRI_KEY_FLAG);
    head.scale = Some(i32::from(column.decimals()));
    head.precision = length;
    head
}

/// What a value needs to know of its column.
pub(super) struct Reader {
    pub(super) name: String,
    pub(super) type_name: String,
    pub(super) sql: SqlType,
    pub(super) zero_dates: bool,
}

pub(super) fn cell(value: Value, reader: &Reader) -> Result<Cell, DbError> {
    let wrong =
        |what: &str| DbError::new(DbErrorKind::Data, format!("column {}: {what}", reader.name));
    Ok(match value {
        Value::NULL => Cell::Null,
        Value::Int(year) if reader.type_name == "year" => Cell::Date(days_of_civil(year, 1, 1)),
        Value::UInt(year) if reader.type_name == "year" => {
            Cell::Date(days_of_civil(i64::try_from(year).unwrap_or(0), 1, 1))
        }
        Value::Int(n) => Cell::Int(n),
        Value::UInt(n) => i64::try_from(n).map_or(Cell::UInt(n), Cell::Int),
        Value::Float(x) => Cell::Float(x),
        Value::Double(x) => Cell::Double(x),
        Value::Bytes(bytes) => match reader.sql {
            SqlType::Decimal => {
                let decimal = std::str::from_utf8(&bytes)
                    .ok()
                    .and_then(|text| Decimal::parse(text).ok());
                Cell::Decimal(decimal.ok_or_else(|| wrong("a decimal of unknown form"))?)
            }
            SqlType::Bit => Cell::Int(i64::from(bytes.last().copied().unwrap_or(0).cast_signed())),
            SqlType::Binary => Cell::Bytes(Bytes::from(bytes)),
            _ => Cell::Text(Text::try_from(bytes).map_err(|_| wrong("text that is not UTF-8"))?),
        },
        Value::Date(_, month, day, ..) if month == 0 || day == 0 => {
            if !reader.zero_dates {
                return Err(wrong(
                    "a date of zeros: set zeroDateTimeBehavior=CONVERT_TO_NULL in the URL to read it as null",
                ));
            }
            Cell::Null
        }
        Value::Date(year, month, day, hour, minute, second, micros) => {
            let days = days_of_civil(year.into(), month.into(), day.into());
            let seconds = (i64::from(hour) * 60 + i64::from(minute)) * 60 + i64::from(second);
            let stamp = Stamp {
                seconds: days * DAY_SECONDS + seconds,
                nanos: micros * 1000,
            };
            match reader.type_name.as_str() {
                "date" => Cell::Date(days),
                "timestamp" => Cell::Instant(stamp),
                _ => Cell::Local(stamp),
            }
        }
        Value::Time(negative, days, hours, minutes, seconds, micros) => {
            let whole = ((i64::from(days) * 24 + i64::from(hours)) * 60 + i64::from(minutes)) * 60
                + i64::from(seconds);
            let nanos = whole * 1_000_000_000 + i64::from(micros) * 1000;
            Cell::Time(if negative { -nanos } else { nanos })
        }
    })
}

fn parameter(cell: &Cell) -> Result<Value, DbError> {
    let wrong = |text: String| DbError::new(DbErrorKind::Data, text);
    Ok(match cell {
        Cell::Null => Value::NULL,
        Cell::Bool(value) => Value::Int(i64::from(*value)),
        Cell::Int(n) => Value::Int(*n),
        Cell::UInt(n) => Value::UInt(*n),
        Cell::Float(x) if x.is_finite() => Value::Float(*x),
        Cell::Double(x) if x.is_finite() => Value::Double(*x),
        Cell::Float(_) | Cell::Double(_) => {
            return Err(wrong("MySQL has no NaN and no infinite number".to_owned()));
        }
        Cell::Decimal(decimal) => {
            Value::Bytes(decimal.to_plain_string().unwrap_or_default().into_bytes())
        }
        Cell::Text(text) => Value::Bytes(text.as_bytes().to_vec()),
        Cell::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
        Cell::Date(day) => date(*day, 0, 0)?,
        Cell::Time(nanos) => {
            let seconds = nanos / 1_000_000_000;
            let small = |n: i64| u8::try_from(n).unwrap_or(0);
            let micros = u32::try_from(nanos % 1_000_000_000 / 1000).unwrap_or(0);
            Value::Time(
                false,
                0,
                small(seconds / 3600),
                small(seconds / 60 % 60),
                small(seconds % 60),
                micros,
            )
        }
        Cell::Local(stamp) | Cell::Instant(stamp) => date(
            stamp.seconds.div_euclid(DAY_SECONDS),
            stamp.seconds.rem_euclid(DAY_SECONDS),
            stamp.nanos / 1000,
        )?,
        Cell::Infinite(_) => return Err(wrong("MySQL has no infinite date".to_owned())),
        Cell::Array(_) => return Err(wrong("MySQL has no arrays".to_owned())),
    })
}

fn date(day: i64, seconds: i64, micros: u32) -> Result<Value, DbError> {
    let (year, month, date) = civil_of_days(day);
    let year = u16::try_from(year)
        .ok()
        .filter(|year| *year <= 9999)
        .ok_or_else(|| {
            DbError::new(
                DbErrorKind::Data,
                format!("the year {year} is outside of MySQL's 0 to 9999"),
            )
        })?;
    let small = |n: i64| u8::try_from(n).unwrap_or(0);
    Ok(Value::Date(
        year,
        small(month.into()),
        small(date.into()),
        small(seconds / 3600),
        small(seconds / 60 % 60),
        small(seconds % 60),
        micros,
    ))
}

pub(super) fn parameters<'c>(cells: impl Iterator<Item = &'c Cell>) -> Result<Params, DbError> {
    let values = cells.map(parameter).collect::<Result<Vec<_>, _>>()?;
    Ok(if values.is_empty() {
        Params::Empty
    } else {
        Params::Positional(values)
    })
}
