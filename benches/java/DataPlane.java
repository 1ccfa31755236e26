import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.storage.Converter;
import org.apache.kafka.connect.storage.StringConverter;
import org.apache.kafka.connect.transforms.InsertField;
import org.apache.kafka.connect.transforms.MaskField;
import org.apache.kafka.connect.transforms.ReplaceField;

/** The same work as the Rust side, with the same messages: prints name=rate, medians by CPU time. */
public class DataPlane {
    static final int ROUNDS = 15;
    static final long ROUND_NANOS = 100_000_000L;
    static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
    static Object sink;

    interface Work {
        Object run();
    }

    static void measure(String name, Work work) {
        // The JIT compilers need seconds, not rounds.
        long warm = System.nanoTime() + 3_000_000_000L;
        long count = 0;
        long before = THREADS.getCurrentThreadCpuTime();
        while (System.nanoTime() < warm) {
            for (int i = 0; i < 1000; i++) {
                sink = work.run();
            }
            count += 1000;
        }
        double perNano = (double) count / (THREADS.getCurrentThreadCpuTime() - before);
        long round = Math.max(1000, (long) (perNano * ROUND_NANOS));
        double[] rates = new double[ROUNDS];
        for (int r = 0; r < ROUNDS; r++) {
            before = THREADS.getCurrentThreadCpuTime();
            for (long i = 0; i < round; i++) {
                sink = work.run();
            }
            rates[r] = round * 1e9 / (THREADS.getCurrentThreadCpuTime() - before);
        }
        Arrays.sort(rates);
        System.out.println(name + "=" + rates[ROUNDS / 2]);
    }

    static void both(String in, String out, Converter converter, byte[] bytes) {
        SchemaAndValue pair = converter.toConnectData("orders", bytes);
        measure(in, () -> converter.toConnectData("orders", bytes));
        measure(out, () -> converter.fromConnectData("orders", pair.schema(), pair.value()));
    }

    public static void main(String[] args) throws Exception {
        Path folder = Path.of(args[0]);
        byte[] envelope = Files.readAllBytes(folder.resolve("envelope.json"));
        byte[] plain = Files.readAllBytes(folder.resolve("plain.json"));
        byte[] text = Files.readAllBytes(folder.resolve("text.txt"));
        JsonConverter enveloped = new JsonConverter();
        enveloped.configure(Map.of(), false);
        JsonConverter bare = new JsonConverter();
        bare.configure(Map.of("schemas.enable", "false"), false);
        StringConverter string = new StringConverter();
        string.configure(Map.of(), false);
        both("envelope to record", "record to envelope", enveloped, envelope);
        both("plain to map", "map to plain", bare, plain);
        both("bytes to string", "string to bytes", string, text);

        SchemaAndValue pair = enveloped.toConnectData("orders", envelope);
        SinkRecord record = new SinkRecord("orders", 0, null, null, pair.schema(), pair.value(), 7L);
        InsertField.Value<SinkRecord> insert = new InsertField.Value<>();
        insert.configure(Map.of("static.field", "origin", "static.value", "shop"));
        MaskField.Value<SinkRecord> mask = new MaskField.Value<>();
        mask.configure(Map.of("fields", "email", "replacement", "hidden"));
        ReplaceField.Value<SinkRecord> replace = new ReplaceField.Value<>();
        Map<String, String> renames = new LinkedHashMap<>();
        renames.put("renames", "country:land");
        renames.put("exclude", "note");
        replace.configure(renames);
        measure("three transforms", () -> replace.apply(mask.apply(insert.apply(record))));
    }
}
