import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.lang.reflect.Field;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.*;
import org.apache.kafka.common.Configurable;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.data.*;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.storage.*;
import org.apache.kafka.connect.transforms.Transformation;
import org.apache.kafka.connect.transforms.predicates.Predicate;

/** The real classes on the other side of a pipe: one case a line, one answer a line. */
public class Parity {
    static final HexFormat HEX = HexFormat.of();

    /** Reads the notation of schemas and values. */
    static final class In {
        final String s;
        int at;

        In(String s) {
            this.s = s;
        }

        char peek() {
            return s.charAt(at);
        }

        char next() {
            return s.charAt(at++);
        }

        String until(char end) {
            int to = s.indexOf(end, at);
            String part = s.substring(at, to);
            at = to + 1;
            return part;
        }

        String text(char end) {
            return new String(HEX.parseHex(until(end)), StandardCharsets.UTF_8);
        }

        Schema schema() {
            char kind = next();
            if (kind == '-') {
                return null;
            }
            SchemaBuilder b;
            switch (kind) {
                case 'A':
                    Schema items = schema();
                    b = items == null ? SchemaBuilder.type(Schema.Type.ARRAY) : SchemaBuilder.array(items);
                    break;
                case 'M':
                    Schema keys = schema();
                    Schema values = schema();
                    b = SchemaBuilder.map(keys, values);
                    break;
                default:
                    b = SchemaBuilder.type(TYPES[KINDS.indexOf(kind)]);
            }
            if (kind == 'R') {
                while (peek() != ')') {
                    String name = text(':');
                    b.field(name, schema());
                }
                at++;
            }
            while (true) {
                switch (next()) {
                    case '?': b.optional(); break;
                    case 'N': b.name(text(';')); break;
                    case 'V': b.version(Integer.parseInt(until(';'))); break;
                    case 'C': b.doc(text(';')); break;
                    case 'P': { String k = text('='); b.parameter(k, text(';')); break; }
                    case '=': b.defaultValue(value(b)); at++; break;
                    case '.': return b.build();
                    default: throw new IllegalStateException("at " + at + " of " + s);
                }
            }
        }

        Object value(Schema schema) {
            switch (next()) {
                case 'n': return null;
                case 'z': return next() == '1';
                case 'b': return Byte.parseByte(until(';'));
                case 's': return Short.parseShort(until(';'));
                case 'i': return Integer.parseInt(until(';'));
                case 'l': return Long.parseLong(until(';'));
                case 'f': return Float.intBitsToFloat(Integer.parseUnsignedInt(until(';'), 16));
                case 'd': return Double.longBitsToDouble(Long.parseUnsignedLong(until(';'), 16));
                case 'S': return text(';');
                case 'B': return HEX.parseHex(until(';'));
                case 't': return new java.util.Date(Long.parseLong(until(';')));
                case 'D': {
                    BigInteger unscaled = new BigInteger(until(':'));
                    return new BigDecimal(unscaled, Integer.parseInt(until(';')));
                }
                case '[': {
                    List<Object> list = new ArrayList<>();
                    while (peek() != ']') {
                        list.add(value(null));
                    }
                    at++;
                    return list;
                }
                case '{': {
                    Map<Object, Object> map = new LinkedHashMap<>();
                    while (peek() != '}') {
                        Object key = value(null);
                        map.put(key, value(null));
                    }
                    at++;
                    return map;
                }
                case '(': {
                    Schema own = schema();
                    Struct struct = new Struct(own);
                    try {
                        Object[] slots = (Object[]) SLOTS.get(struct);
                        for (int i = 0; peek() != ')'; i++) {
                            slots[i] = value(null);
                        }
                    } catch (IllegalAccessException e) {
                        throw new IllegalStateException(e);
                    }
                    at++;
                    return struct;
                }
                default: throw new IllegalStateException("at " + at + " of " + s);
            }
        }
    }

    static final String KINDS = "bsilfdzSBAMR";
    static final Schema.Type[] TYPES = {
        Schema.Type.INT8, Schema.Type.INT16, Schema.Type.INT32, Schema.Type.INT64, Schema.Type.FLOAT32,
        Schema.Type.FLOAT64, Schema.Type.BOOLEAN, Schema.Type.STRING, Schema.Type.BYTES, Schema.Type.ARRAY,
        Schema.Type.MAP, Schema.Type.STRUCT};
    static final Field SLOTS;

    static {
        try {
            SLOTS = Struct.class.getDeclaredField("values");
            SLOTS.setAccessible(true);
        } catch (NoSuchFieldException e) {
            throw new IllegalStateException(e);
        }
    }

    static String hex(String text) {
        return HEX.formatHex(text.getBytes(StandardCharsets.UTF_8));
    }

    static void put(StringBuilder o, Schema s) {
        if (s == null) {
            o.append('-');
            return;
        }
        o.append(KINDS.charAt(Arrays.asList(TYPES).indexOf(s.type())));
        switch (s.type()) {
            case ARRAY: put(o, s.valueSchema()); break;
            case MAP: put(o, s.keySchema()); put(o, s.valueSchema()); break;
            case STRUCT:
                for (org.apache.kafka.connect.data.Field f : s.fields()) {
                    o.append(hex(f.name())).append(':');
                    put(o, f.schema());
                }
                o.append(')');
                break;
            default:
        }
        if (s.isOptional()) o.append('?');
        if (s.name() != null) o.append('N').append(hex(s.name())).append(';');
        if (s.version() != null) o.append('V').append(s.version()).append(';');
        if (s.doc() != null) o.append('C').append(hex(s.doc())).append(';');
        if (s.parameters() != null) {
            s.parameters().forEach((k, v) -> o.append('P').append(hex(k)).append('=').append(hex(v)).append(';'));
        }
        if (s.defaultValue() != null) {
            o.append('=');
            put(o, s.defaultValue());
            o.append(';');
        }
        o.append('.');
    }

    static void put(StringBuilder o, Object v) {
        if (v == null) o.append('n');
        else if (v instanceof Boolean) o.append((Boolean) v ? "z1" : "z0");
        else if (v instanceof Byte) o.append('b').append(v).append(';');
        else if (v instanceof Short) o.append('s').append(v).append(';');
        else if (v instanceof Integer) o.append('i').append(v).append(';');
        else if (v instanceof Long) o.append('l').append(v).append(';');
        else if (v instanceof Float) o.append('f').append(Integer.toHexString(Float.floatToIntBits((Float) v))).append(';');
        else if (v instanceof Double) o.append('d').append(Long.toHexString(Double.doubleToLongBits((Double) v))).append(';');
        else if (v instanceof String) o.append('S').append(hex((String) v)).append(';');
        else if (v instanceof byte[]) o.append('B').append(HEX.formatHex((byte[]) v)).append(';');
        else if (v instanceof ByteBuffer) o.append('B').append(HEX.formatHex(((ByteBuffer) v).array())).append(';');
        else if (v instanceof java.util.Date) o.append('t').append(((java.util.Date) v).getTime()).append(';');
        else if (v instanceof BigDecimal) o.append('D').append(((BigDecimal) v).unscaledValue()).append(':').append(((BigDecimal) v).scale()).append(';');
        else if (v instanceof List) {
            o.append('[');
            for (Object e : (List<?>) v) put(o, e);
            o.append(']');
        } else if (v instanceof Map) {
            // The order of a hash map means nothing: entries are shown sorted.
            List<String> entries = new ArrayList<>();
            for (Map.Entry<?, ?> e : ((Map<?, ?>) v).entrySet()) {
                StringBuilder one = new StringBuilder();
                put(one, e.getKey());
                put(one, e.getValue());
                entries.add(one.toString());
            }
            Collections.sort(entries);
            o.append('{');
            entries.forEach(o::append);
            o.append('}');
        } else if (v instanceof Struct) {
            o.append('(');
            put(o, ((Struct) v).schema());
            try {
                for (Object slot : (Object[]) SLOTS.get(v)) put(o, slot);
            } catch (IllegalAccessException e) {
                throw new IllegalStateException(e);
            }
            o.append(')');
        } else o.append("<").append(v.getClass().getName()).append(">");
    }

    static String pair(SchemaAndValue p) {
        if (p == null) return "nothing";
        StringBuilder o = new StringBuilder();
        put(o, p.schema());
        o.append(' ');
        put(o, p.value());
        return o.toString();
    }

    static String one(Object v) {
        StringBuilder o = new StringBuilder();
        put(o, v);
        return o.toString();
    }

    static String bytes(byte[] b) {
        return b == null ? "null" : HEX.formatHex(b);
    }

    static byte[] unhex(String s) {
        return s.equals("null") ? null : HEX.parseHex(s);
    }

    static final Map<String, Converter> CONVERTERS = new HashMap<>();
    static final Map<String, Transformation<?>> TRANSFORMS = new HashMap<>();
    static final SimpleHeaderConverter SIMPLE = new SimpleHeaderConverter();

    static Map<String, String> config(String s) {
        Map<String, String> config = new LinkedHashMap<>();
        for (String entry : s.split(",")) {
            if (!entry.isEmpty()) {
                String[] kv = entry.split("=", 2);
                config.put(new String(HEX.parseHex(kv[0]), StandardCharsets.UTF_8),
                    new String(HEX.parseHex(kv[1]), StandardCharsets.UTF_8));
            }
        }
        return config;
    }

    static Converter converter(String name, String cfg) throws Exception {
        Converter c = CONVERTERS.get(name + " " + cfg);
        if (c == null) {
            c = (Converter) Class.forName(name).getDeclaredConstructor().newInstance();
            c.configure(config(cfg), false);
            CONVERTERS.put(name + " " + cfg, c);
        }
        return c;
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    static String transform(String[] a) throws Exception {
        // class, config, topic, partition, key schema, key, value schema, value, timestamp, headers, offset
        Transformation t = TRANSFORMS.get(a[1] + " " + a[2]);
        if (t == null) {
            t = (Transformation) Class.forName(a[1]).getDeclaredConstructor().newInstance();
            try {
                t.configure(config(a[2]));
            } catch (Throwable e) {
                return "configure " + error(e);
            }
            TRANSFORMS.put(a[1] + " " + a[2], t);
        }
        ConnectRecord out = (ConnectRecord) t.apply(record(a));
        return shown(out);
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    static String predicate(String[] a) throws Exception {
        Predicate p = (Predicate) Class.forName(a[1]).getDeclaredConstructor().newInstance();
        try {
            p.configure(config(a[2]));
        } catch (Throwable e) {
            return "configure " + error(e);
        }
        return String.valueOf(p.test(record(a)));
    }

    @SuppressWarnings("rawtypes")
    static ConnectRecord record(String[] a) {
        String topic = new String(HEX.parseHex(a[3]), StandardCharsets.UTF_8);
        Integer partition = a[4].equals("null") ? null : Integer.valueOf(a[4]);
        Schema ks = new In(a[5]).schema();
        Object k = new In(a[6]).value(null);
        Schema vs = new In(a[7]).schema();
        Object v = new In(a[8]).value(null);
        Long ts = a[9].equals("null") ? null : Long.valueOf(a[9]);
        ConnectHeaders headers = new ConnectHeaders();
        for (String h : a[10].split(",")) {
            if (!h.isEmpty()) {
                In in = new In(h);
                String key = in.text(':');
                Schema hs = in.schema();
                headers.add(key, new SchemaAndValue(hs, in.value(null)));
            }
        }
        return a[11].equals("null")
            ? new SourceRecord(null, null, topic, partition, ks, k, vs, v, ts, headers)
            : new SinkRecord(topic, partition, ks, k, vs, v, Long.parseLong(a[11]), ts,
                org.apache.kafka.common.record.TimestampType.CREATE_TIME, headers);
    }

    @SuppressWarnings("rawtypes")
    static String shown(ConnectRecord out) {
        if (out == null) return "dropped";
        StringBuilder o = new StringBuilder();
        o.append(hex(out.topic())).append(' ').append(out.kafkaPartition()).append(' ');
        put(o, out.keySchema());
        o.append(' ');
        put(o, out.key());
        o.append(' ');
        put(o, out.valueSchema());
        o.append(' ');
        put(o, out.value());
        o.append(' ').append(out.timestamp());
        for (Header h : (Iterable<Header>) out.headers()) {
            o.append(' ').append(hex(h.key())).append(':');
            put(o, h.schema());
            put(o, h.value());
        }
        return o.toString();
    }

    static String convert(String to, Schema from, Object v) {
        switch (to) {
            case "boolean": return one(Values.convertToBoolean(from, v));
            case "byte": return one(Values.convertToByte(from, v));
            case "short": return one(Values.convertToShort(from, v));
            case "integer": return one(Values.convertToInteger(from, v));
            case "long": return one(Values.convertToLong(from, v));
            case "float": return one(Values.convertToFloat(from, v));
            case "double": return one(Values.convertToDouble(from, v));
            case "list": return one(Values.convertToList(from, v));
            case "map": return one(Values.convertToMap(from, v));
            case "struct": return one(Values.convertToStruct(from, v));
            case "decimal": return one(Values.convertToDecimal(from, v, 2));
            case "date": return one(Values.convertToDate(from, v));
            case "time": return one(Values.convertToTime(from, v));
            case "timestamp": return one(Values.convertToTimestamp(from, v));
            default: throw new IllegalStateException(to);
        }
    }

    static String answer(String line) throws Exception {
        String[] a = line.split("\t", -1);
        switch (a[0]) {
            case "to": return pair(converter(a[1], a[2]).toConnectData("topic", unhex(a[3])));
            case "from": {
                Schema s = new In(a[3]).schema();
                return bytes(converter(a[1], a[2]).fromConnectData("topic", s, new In(a[4]).value(s)));
            }
            case "simple": {
                // No pair at all is (null, null) for the headers of a record.
                SchemaAndValue p = SIMPLE.toConnectHeader("topic", "h", unhex(a[1]));
                return pair(p == null ? SchemaAndValue.NULL : p);
            }
            case "parse": return pair(Values.parseString(new String(unhex(a[1]), StandardCharsets.UTF_8)));
            case "render": {
                Schema s = new In(a[1]).schema();
                String text = Values.convertToString(s, new In(a[2]).value(s));
                return text == null ? "null" : hex(text);
            }
            case "text": return hex(String.valueOf(new In(a[1]).value(null)));
            case "convert": {
                Schema s = new In(a[2]).schema();
                return convert(a[1], s, new In(a[3]).value(s));
            }
            case "infer": {
                StringBuilder o = new StringBuilder();
                put(o, Values.inferSchema(new In(a[1]).value(null)));
                return o.toString();
            }
            case "validate": {
                Schema s = new In(a[1]).schema();
                ConnectSchema.validateValue(s, new In(a[2]).value(s));
                return "valid";
            }
            case "project": {
                Schema s = new In(a[1]).schema();
                return one(SchemaProjector.project(s, new In(a[2]).value(s), new In(a[3]).schema()));
            }
            case "decimal": {
                BigDecimal d = new BigDecimal(new String(unhex(a[1]), StandardCharsets.UTF_8));
                return one(d) + " " + d + " " + d.toEngineeringString() + " "
                    + (Math.abs(d.scale()) < 1000 ? d.toPlainString() : "-") + " " + d.longValue() + " " + one(d.doubleValue())
                    + " " + one(d.floatValue());
            }
            case "transform": return transform(a);
            case "predicate": return predicate(a);
            default: throw new IllegalStateException(a[0]);
        }
    }

    static String error(Throwable e) {
        StringBuilder o = new StringBuilder("!");
        for (Throwable t = e; t != null; t = t.getCause()) {
            String message = t.getMessage() == null ? "null" : t.getMessage();
            o.append(t.getClass().getName()).append('|').append(message.replace("\n", "\\n").replace("\r", "\\r")).append('|');
        }
        return o.toString();
    }

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8), 1 << 20);
        BufferedWriter out = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8), 1 << 20);
        String line;
        long answered = 0;
        while ((line = in.readLine()) != null) {
            String answer;
            try {
                answer = answer(line);
            } catch (Throwable e) {
                answer = error(e);
            }
            answer = answer.replace("java.util.LinkedHashMap", "java.util.HashMap").replaceAll("\\[B@[0-9a-f]+", "[B@");
            out.write(answer);
            out.write('\n');
            // A part of a line in the buffer makes the pipe look ready: some answers must go out anyway.
            if (++answered % 256 == 0 || !in.ready()) {
                out.flush();
            }
        }
        out.flush();
    }
}
