// A word count of Kafka Streams with exactly_once_v2: two lives of one application, the second without
// the files of the first, so that its state comes back from the changelog.

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Produced;

public final class WordCount {
    private static final long PATIENCE_MS = 120_000;

    public static void main(String[] args) throws Exception {
        String bootstrap = args[0];
        Map<String, Object> base = Map.of("bootstrap.servers", bootstrap);
        try (Admin admin = Admin.create(base)) {
            admin.createTopics(List.of(
                new NewTopic("lines", 2, (short) 1), new NewTopic("counts", 1, (short) 1))).all().get();
        }
        Map<String, Long> counts = new TreeMap<>();
        boolean inOrder = true;
        for (int life = 1; life <= 2; life++) {
            write(bootstrap, 100 * life);
            KafkaStreams streams = streams(bootstrap, args[1] + "/" + life);
            AtomicReference<Throwable> failed = new AtomicReference<>();
            streams.setUncaughtExceptionHandler(error -> {
                failed.set(error);
                return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler
                    .StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
            });
            streams.start();
            long wanted = life == 1 ? 150 : 450;
            long deadline = System.currentTimeMillis() + PATIENCE_MS;
            Map<String, Object> reading = Map.of("bootstrap.servers", bootstrap,
                "isolation.level", "read_committed");
            try (KafkaConsumer<String, Long> consumer = new KafkaConsumer<>(
                    reading, new StringDeserializer(), new LongDeserializer())) {
                TopicPartition counted = new TopicPartition("counts", 0);
                consumer.assign(List.of(counted));
                consumer.seekToBeginning(List.of(counted));
                Map<String, Long> seen = new TreeMap<>();
                while (!Long.valueOf(wanted).equals(seen.get("a"))
                        || !Long.valueOf(wanted / 3).equals(seen.get("c"))
                        || !Long.valueOf(wanted / 3 * 2).equals(seen.get("b"))) {
                    if (failed.get() != null) throw new IllegalStateException(failed.get());
                    if (System.currentTimeMillis() > deadline) throw new IllegalStateException("only " + seen);
                    for (var record : consumer.poll(Duration.ofMillis(100))) {
                        // A count goes up only; one that went down was counted twice or lost its state.
                        Long before = seen.put(record.key(), record.value());
                        inOrder &= before == null || before <= record.value();
                    }
                }
                counts = seen;
            }
            streams.close(Duration.ofSeconds(30));
        }
        System.out.println("counts: " + counts);
        System.out.println("in order: " + inOrder);
    }

    private static void write(String bootstrap, int lines) throws Exception {
        Map<String, Object> base = Map.of("bootstrap.servers", bootstrap);
        try (var producer = new KafkaProducer<>(base, new StringSerializer(), new StringSerializer())) {
            for (int line = 0; line < lines; line++) {
    
                // Three, two and one of the words in two lines.
                String text = line % 2 == 0 ? "a b a c" : "b a";
                producer.send(new ProducerRecord<>("lines", "k" + line, text)).get();
            }
        }
    }

    private static KafkaStreams streams(String bootstrap, String folder) {
        StreamsBuilder builder = new StreamsBuilder();
        builder.<String, String>stream("lines")
            .flatMapValues(line -> Arrays.asList(line.split(" ")))
            .groupBy((key, word) -> word)
            .count()
            .toStream()
            .to("counts", Produced.with(Serdes.String(), Serdes.Long()));
        Properties config = new Properties();
        config.put(StreamsConfig.APPLICATION_ID_CONFIG, "word-count");
        config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        config.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        config.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.StringSerde.class);
        config.put(StreamsConfig.STATE_DIR_CONFIG, folder);
        config.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        // The first life does not leave its group; the second waits for the end of its session.
        config.put("session.timeout.ms", 6000);
        config.put("heartbeat.interval.ms", 1000);
        config.put("auto.offset.reset", "earliest");
        return new KafkaStreams(builder.build(), config);
    }
}
