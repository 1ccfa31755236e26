//! Source connectors: every converter on the way to Kafka, every transform.
//!
//! `FileStreamSource` gives texts, `SchemaSource` structs with all kinds of numbers, with the text `key` as key.

use std::{fs, path::Path};

use crate::differential::Case;

const C: &str = "org.apache.kafka.connect.converters";
/// How many structs are given, of two versions of their schema in turn.
const STRUCTS: i64 = 4;

struct Table<'a> {
    dir: &'a Path,
    cases: Vec<Case>,
}

impl Table<'_> {
    /// Lines of a file, under this configuration.
    fn lines(&mut self, name: &'static str, lines: &str, config: &str) {
        let file = self.dir.join(format!("{name}.txt"));
        fs::write(&file, lines).unwrap();
        let config = format!(
            "connector.class=org.apache.kafka.connect.file.FileStreamSourceConnector\nfile={}\n{config}",
            file.display()
        );
        let end = i64::try_from(lines.len()).unwrap();
        let mut case = Case::new(name, end, &config);
        case.java_end = i64::try_from(lines.encode_utf16().count()).unwrap();
        self.cases.push(case);
    }

    /// Structs, under this configuration.
    fn structs(&mut self, name: &'static str, config: &str) {
        let config = format!(
            "connector.class=org.apache.kafka.connect.tools.SchemaSourceConnector\n\
             num.messages={STRUCTS}\nthroughput=1000\npartition.count=1\nmultiple.schema=true\n{config}"
        );
        self.cases.push(Case::new(name, STRUCTS - 1, &config));
    }
}

pub(super) fn cases(dir: &Path) -> Vec<Case> {
    let mut table = Table {
        dir,
        cases: Vec::new(),
    };
    converters(&mut table);
    header_converters(&mut table);
    keys_and_sizes(&mut table);
    for (name, config) in TRANSFORMS {
        table.structs(name, config);
    }
    let t = &mut table;
    let route =
        "transforms.a.type=~TimestampRouter\ntransforms.a.topic.format=${topic}-by-${timestamp}";
    t.lines(
        "timestamp-router",
        "1\n",
        &format!("{route}\ntransforms.a.timestamp.format='at'GG"),
    );
    table.cases
}

fn converters(t: &mut Table<'_>) {
    let string = "value.converter=org.apache.kafka.connect.storage.StringConverter";
    t.lines(
        "string",
        "plain\n\n  spaces \u{b5} \u{6f22} \u{1f600}\n",
        string,
    );
    for (name, encoding) in [
        ("string-latin1", "ISO-8859-1"),
        ("string-utf16", "UTF-16"),
        ("string-ascii", "US-ASCII"),
    ] {
        let config = format!("{string}\nvalue.converter.encoding={encoding}");
        t.lines(name, "plain\nat \u{b5} \u{6f22}\nend\n", &config);
    }
    t.structs(
        "string-structs",
        &format!("key.converter=org.apache.kafka.connect.storage.StringConverter\n{string}"),
    );
    let json = |more: &str| {
        let class = "org.apache.kafka.connect.json.JsonConverter";
        format!("key.converter={class}\nkey.{more}\nvalue.converter={class}\nvalue.{more}")
    };
    t.lines(
        "json-lines",
        "a \"quote\" \\ \t tab\n\u{1f600}\n",
        &json("converter.schemas.enable=true"),
    );
    t.lines(
        "json-plain-lines",
        "a \"quote\"\n{}\n",
        &json("converter.schemas.enable=false"),
    );
    t.structs("json", &json("converter.schemas.enable=true"));
    t.structs("json-plain", &json("converter.schemas.enable=false"));
    t.structs(
        "json-defaults",
        &json("converter.replace.null.with.default=false"),
    );
    t.structs("json-cache", &json("converter.schemas.cache.size=1"));
    t.structs("json-decimals", &json("converter.decimal.format=NUMERIC"));
    t.lines(
        "byte-array",
        "no bytes\n",
        &format!("value.converter={C}.ByteArrayConverter"),
    );
    for (name, failing, class, spec, lines) in [
        (
            "boolean",
            "boolean-fails",
            "Boolean",
            "boolean",
            "true\nfalse\nTRUE\nno\n",
        ),
        (
            "short",
            "short-fails",
            "Short",
            "int16",
            "1\n-32768\n32767\n",
        ),
        (
            "integer",
            "integer-fails",
            "Integer",
            "int32",
            "1\n-2147483648\n0\n",
        ),
        (
            "long",
            "long-fails",
            "Long",
            "int64",
            "1\n-9223372036854775808\n0\n",
        ),
        (
            "float",
            "float-fails",
            "Float",
            "float32",
            "1.5\n-3e38\nNaN\n",
        ),
        (
            "double",
            "double-fails",
            "Double",
            "float64",
            "1.5\n-1e308\nInfinity\n",
        ),
    ] {
        let cast = format!(
            "value.converter={C}.{class}Converter\ntransforms.cast.type=~Cast$Value\ntransforms.cast.spec={spec}"
        );
        t.lines(name, lines, &cast);
        t.lines(
            failing,
            lines,
            &format!("value.converter={C}.{class}Converter"),
        );
    }
    // The last line is cast again.
    t.lines("cast-tolerated", "1\nx\n\n40000\n3\n", &format!(
        "value.converter={C}.ShortConverter\ntransforms.cast.type=~Cast$Value\ntransforms.cast.spec=int16\n\
         errors.tolerance=all\nerrors.log.enable=true"
    ));
    t.structs(
        "structs-logged",
        "transforms.a.type=~ExtractField$Value\ntransforms.a.field=none\nerrors.log.enable=true\n\
         errors.log.include.messages=true\nerrors.retry.timeout=60000",
    );
    t.lines(
        "lines-logged",
        "x\n1\n",
        &format!(
            "value.converter={C}.IntegerConverter\ntransforms.cast.type=~Cast$Value\ntransforms.cast.spec=int32\n\
             errors.tolerance=all\nerrors.log.enable=true\nerrors.log.include.messages=true"
        ),
    );
    t.structs(
        "struct-as-number",
        &format!("value.converter={C}.LongConverter"),
    );
    t.lines(
        "no-such-converter",
        "1\n",
        "value.converter=org.example.Missing",
    );
    t.lines(
        "no-such-transform",
        "1\n",
        "transforms.a.type=org.example.Missing",
    );
}

/// Keys of every kind; and what the producer refuses.
fn keys_and_sizes(t: &mut Table<'_>) {
    for (name, class, field) in [
        ("key-boolean", "Boolean", "boolean"),
        ("key-integer", "Integer", "int"),
        ("key-long", "Long", "long"),
        ("key-float", "Float", "float"),
        ("key-double", "Double", "double"),
        ("key-short-fails", "Short", "int"),
        ("key-bytes-fail", "ByteArray", "int"),
    ] {
        t.structs(
            name,
            &format!(
                "key.converter={C}.{class}Converter\ntransforms.a.type=~ValueToKey\ntransforms.a.fields={field}\n\
                 transforms.b.type=~ExtractField$Key\ntransforms.b.field={field}"
            ),
        );
    }
    let large = format!("first\n{}\nsmall\nlast\n", "x".repeat(2000));
    let config = "value.converter=org.apache.kafka.connect.storage.StringConverter\n\
                  producer.override.max.request.size=1000";
    // All of them are of one batch: what is before the record is sent, what is behind it is not.
    t.lines("too-large", &large, config);
    t.lines(
        "fails-in-the-middle",
        "1\n2\nthree\n4\n",
        &format!(
            "value.converter={C}.IntegerConverter\n\
             transforms.a.type=~Cast$Value\ntransforms.a.spec=int32"
        ),
    );
    t.lines(
        "too-large-tolerated",
        &large,
        &format!("{config}\nerrors.tolerance=all\nerrors.log.enable=true"),
    );
}

fn header_converters(t: &mut Table<'_>) {
    let numbers = "transforms.a.type=~HeaderFrom$Value\ntransforms.a.operation=copy\n\
                   transforms.a.fields=boolean,int,long,float,double,partitioning\n\
                   transforms.a.headers=boolean,int,long,float,double,more";
    let json = "org.apache.kafka.connect.json.JsonConverter";
    for (name, class) in [
        (
            "headers-simple",
            "org.apache.kafka.connect.storage.SimpleHeaderConverter",
        ),
        (
            "headers-string",
            "org.apache.kafka.connect.storage.StringConverter",
        ),
        ("headers-json", json),
    ] {
        t.structs(name, &format!("header.converter={class}\n{numbers}"));
    }
    t.structs(
        "headers-json-plain",
        &format!("header.converter={json}\nheader.converter.schemas.enable=false\n{numbers}"),
    );
    for (name, class, field) in [
        ("headers-boolean", "Boolean", "boolean"),
        ("headers-integer", "Integer", "int"),
        ("headers-long", "Long", "long"),
        ("headers-float", "Float", "float"),
        ("headers-double", "Double", "double"),
        ("headers-short-fails", "Short", "int"),
        ("headers-bytes-fail", "ByteArray", "int"),
    ] {
        t.structs(
            name,
            &format!(
                "header.converter={C}.{class}Converter\ntransforms.a.type=~HeaderFrom$Value\n\
             transforms.a.operation=move\ntransforms.a.fields={field}\ntransforms.a.headers=h"
            ),
        );
    }
    t.structs("headers-short", &format!(
        "header.converter={C}.ShortConverter\ntransforms.c.type=~Cast$Value\ntransforms.c.spec=int:int16\n\
         transforms.d.type=~HeaderFrom$Value\ntransforms.d.operation=move\ntransforms.d.fields=int\n\
         transforms.d.headers=h"
    ));
    let literals = [
        "7",
        "-3000000000",
        "1.50",
        "true",
        "null",
        "text, with {all}",
        "\"quoted\"",
        "[1, 2, 300]",
        "[1, \"a\"]",
        "{\"a\": 1, \"b\": 2}",
        "2019-08-23",
        "2019-08-23T14:34:54.346Z",
        "14:34:54.346Z",
        "",
        "[]",
        "{}",
        "1e400",
    ];
    let mut config = String::new();
    for (n, literal) in literals.iter().enumerate() {
        config += &format!(
            "transforms.i{n}.type=~InsertHeader\ntransforms.i{n}.header=h{n}\ntransforms.i{n}.value.literal={literal}\n"
        );
    }
    t.lines("insert-headers", "x\n", &config);
    t.lines(
        "insert-headers-json",
        "x\n",
        &format!("{config}header.converter={json}"),
    );
}

/// On structs, with JSON envelopes as keys and values: all that a transform made is to be seen.
const TRANSFORMS: [(&str, &str); 57] = [
    (
        "cast-value",
        "transforms.a.type=~Cast$Value\ntransforms.a.spec=int:string,long:float64,double:int32,boolean:int8,float:string",
    ),
    (
        "cast-key",
        "transforms.a.type=~Cast$Key\ntransforms.a.spec=boolean",
    ),
    (
        "cast-key-fails",
        "transforms.a.type=~Cast$Key\ntransforms.a.spec=int32",
    ),
    (
        "cast-whole-fails",
        "transforms.a.type=~Cast$Value\ntransforms.a.spec=int32",
    ),
    (
        "cast-refused",
        "transforms.a.type=~Cast$Value\ntransforms.a.spec=int:number",
    ),
    (
        "drop-headers",
        "transforms.a.type=~InsertHeader\ntransforms.a.header=one\ntransforms.a.value.literal=1\n\
      transforms.b.type=~InsertHeader\ntransforms.b.header=two\ntransforms.b.value.literal=2\n\
      transforms.c.type=~DropHeaders\ntransforms.c.headers=one,other",
    ),
    (
        "extract-value",
        "transforms.a.type=~ExtractField$Value\ntransforms.a.field=double",
    ),
    (
        "extract-value-missing",
        "transforms.a.type=~ExtractField$Value\ntransforms.a.field=none",
    ),
    (
        "extract-value-lenient",
        "transforms.a.type=~ExtractField$Value\ntransforms.a.field=none\ntransforms.a.replace.null.with.default=false",
    ),
    (
        "extract-key",
        "transforms.a.type=~HoistField$Key\ntransforms.a.field=k\n\
      transforms.b.type=~ExtractField$Key\ntransforms.b.field=k",
    ),
    (
        "extract-key-fails",
        "transforms.a.type=~ExtractField$Key\ntransforms.a.field=k",
    ),
    (
        "extract-path",
        "transforms.a.type=~HoistField$Value\ntransforms.a.field=a.b\n\
      transforms.b.type=~ExtractField$Value\ntransforms.b.field=`a.b`.long\ntransforms.b.field.syntax.version=V2",
    ),
    (
        "filter-nothing",
        "transforms.a.type=~Filter\ntransforms.a.predicate=p\n\
      predicates.p.type=~RecordIsTombstone",
    ),
    (
        "filter-has-header",
        "transforms.a.type=~Filter\ntransforms.a.predicate=p\n\
      predicates.p.type=~HasHeaderKey\npredicates.p.name=none",
    ),
    (
        "filter-topic",
        "transforms.a.type=~Filter\ntransforms.a.predicate=p\ntransforms.a.negate=true\n\
      predicates.p.type=~TopicNameMatches\npredicates.p.pattern=.*filter-topic",
    ),
    (
        "predicate-unknown",
        "transforms.a.type=~Filter\ntransforms.a.predicate=none",
    ),
    (
        "flatten-value",
        "transforms.a.type=~HoistField$Value\ntransforms.a.field=in\n\
      transforms.b.type=~HoistField$Value\ntransforms.b.field=out\n\
      transforms.c.type=~Flatten$Value\ntransforms.c.delimiter=_",
    ),
    (
        "flatten-key",
        "transforms.a.type=~HoistField$Key\ntransforms.a.field=in\n\
      transforms.b.type=~HoistField$Key\ntransforms.b.field=out\ntransforms.c.type=~Flatten$Key",
    ),
    ("flatten-key-fails", "transforms.c.type=~Flatten$Key"),
    (
        "header-from-value",
        "transforms.a.type=~HeaderFrom$Value\ntransforms.a.operation=move\n\
      transforms.a.fields=int,double\ntransforms.a.headers=i,d",
    ),
    (
        "header-from-missing",
        "transforms.a.type=~HeaderFrom$Value\ntransforms.a.operation=copy\n\
      transforms.a.fields=none\ntransforms.a.headers=n",
    ),
    (
        "header-from-refused",
        "transforms.a.type=~HeaderFrom$Value\ntransforms.a.operation=copy\n\
      transforms.a.fields=int,long\ntransforms.a.headers=n",
    ),
    (
        "header-from-key",
        "transforms.a.type=~HoistField$Key\ntransforms.a.field=k\n\
      transforms.b.type=~HeaderFrom$Key\ntransforms.b.operation=copy\ntransforms.b.fields=k\ntransforms.b.headers=h",
    ),
    (
        "hoist-value",
        "transforms.a.type=~HoistField$Value\ntransforms.a.field=all",
    ),
    (
        "hoist-key",
        "transforms.a.type=~HoistField$Key\ntransforms.a.field=all",
    ),
    (
        "insert-value",
        "transforms.a.type=~InsertField$Value\ntransforms.a.topic.field=t\n\
      transforms.a.partition.field=p?\ntransforms.a.static.field=s!\ntransforms.a.static.value=x",
    ),
    (
        "insert-value-offset",
        "transforms.a.type=~InsertField$Value\ntransforms.a.offset.field=o",
    ),
    (
        "insert-value-twice",
        "transforms.a.type=~InsertField$Value\ntransforms.a.static.field=int\ntransforms.a.static.value=x",
    ),
    (
        "insert-value-time",
        "transforms.a.type=~InsertField$Value\ntransforms.a.timestamp.field=time",
    ),
    (
        "insert-key",
        "transforms.a.type=~HoistField$Key\ntransforms.a.field=k\n\
      transforms.b.type=~InsertField$Key\ntransforms.b.static.field=s\ntransforms.b.static.value=x",
    ),
    (
        "insert-key-fails",
        "transforms.b.type=~InsertField$Key\ntransforms.b.static.field=s\ntransforms.b.static.value=x",
    ),
    (
        "mask-value",
        "transforms.a.type=~MaskField$Value\ntransforms.a.fields=int,long,boolean,double,float",
    ),
    (
        "mask-value-by",
        "transforms.a.type=~MaskField$Value\ntransforms.a.fields=int,long\ntransforms.a.replacement=5",
    ),
    (
        "mask-value-by-text",
        "transforms.a.type=~MaskField$Value\ntransforms.a.fields=int\ntransforms.a.replacement=x",
    ),
    (
        "mask-value-boolean",
        "transforms.a.type=~MaskField$Value\ntransforms.a.fields=boolean\ntransforms.a.replacement=5",
    ),
    (
        "mask-key",
        "transforms.a.type=~HoistField$Key\ntransforms.a.field=k\n\
      transforms.b.type=~MaskField$Key\ntransforms.b.fields=k\ntransforms.b.replacement=***",
    ),
    (
        "regex-router",
        "transforms.a.type=~RegexRouter\ntransforms.a.regex=(.*)-(regex)-(.*)\ntransforms.a.replacement=$1-$2-$3-routed",
    ),
    (
        "regex-router-fails",
        "transforms.a.type=~RegexRouter\ntransforms.a.regex=(.*)\ntransforms.a.replacement=$2",
    ),
    (
        "regex-router-refused",
        "transforms.a.type=~RegexRouter\ntransforms.a.regex=(\ntransforms.a.replacement=x",
    ),
    (
        "replace-exclude",
        "transforms.a.type=~ReplaceField$Value\ntransforms.a.exclude=int,none",
    ),
    (
        "replace-include",
        "transforms.a.type=~ReplaceField$Value\ntransforms.a.include=int,string\ntransforms.a.renames=int:number",
    ),
    (
        "replace-key",
        "transforms.a.type=~HoistField$Key\ntransforms.a.field=k\n\
      transforms.b.type=~ReplaceField$Key\ntransforms.b.renames=k:renamed",
    ),
    (
        "replace-refused",
        "transforms.a.type=~ReplaceField$Value\ntransforms.a.renames=int",
    ),
    (
        "metadata-value",
        "transforms.a.type=~SetSchemaMetadata$Value\ntransforms.a.schema.name=n.N\ntransforms.a.schema.version=7",
    ),
    (
        "metadata-key",
        "transforms.a.type=~SetSchemaMetadata$Key\ntransforms.a.schema.name=k",
    ),
    (
        "metadata-null",
        "transforms.a.type=~ExtractField$Value\ntransforms.a.field=int\n\
      transforms.b.type=~SetSchemaMetadata$Value\ntransforms.b.schema.version=3",
    ),
    (
        "time-timestamp",
        "transforms.a.type=~TimestampConverter$Value\ntransforms.a.field=long\ntransforms.a.target.type=Timestamp",
    ),
    (
        "time-date",
        "transforms.a.type=~TimestampConverter$Value\ntransforms.a.field=long\ntransforms.a.target.type=Date",
    ),
    (
        "time-time",
        "transforms.a.type=~TimestampConverter$Value\ntransforms.a.field=long\ntransforms.a.target.type=Time\n\
      transforms.a.unix.precision=seconds",
    ),
    (
        "time-string",
        "transforms.a.type=~TimestampConverter$Value\ntransforms.a.field=long\ntransforms.a.target.type=string\n\
      transforms.a.format=yyyy-MM-dd'T'HH:mm:ss.SSS EEE\ntransforms.a.unix.precision=seconds",
    ),
    (
        "time-unix",
        "transforms.a.type=~TimestampConverter$Value\ntransforms.a.field=long\ntransforms.a.target.type=Timestamp\n\
      transforms.b.type=~TimestampConverter$Value\ntransforms.b.field=long\ntransforms.b.target.type=unix\n\
      transforms.b.unix.precision=microseconds",
    ),
    (
        "time-fails",
        "transforms.a.type=~TimestampConverter$Value\ntransforms.a.field=boolean\ntransforms.a.target.type=Date",
    ),
    (
        "time-refused",
        "transforms.a.type=~TimestampConverter$Value\ntransforms.a.field=long\ntransforms.a.target.type=string",
    ),
    (
        "time-key",
        "transforms.a.type=~ValueToKey\ntransforms.a.fields=long\n\
      transforms.b.type=~TimestampConverter$Key\ntransforms.b.field=long\ntransforms.b.target.type=string\n\
      transforms.b.format=HH:mm:ss.SSS",
    ),
    (
        "value-to-key",
        "transforms.a.type=~ValueToKey\ntransforms.a.fields=int,seqno",
    ),
    (
        "value-to-key-missing",
        "transforms.a.type=~ValueToKey\ntransforms.a.fields=none",
    ),
    (
        "timestamp-router-none",
        "transforms.a.type=~TimestampRouter\ntransforms.a.topic.format=${topic}-${timestamp}",
    ),
];
