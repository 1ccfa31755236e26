import java.io.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.runtime.WorkerConfig;
import org.apache.kafka.connect.runtime.distributed.DistributedConfig;
import org.apache.kafka.connect.runtime.standalone.StandaloneConfig;

/** Prints each key of both modes, and what Java says to each value of a list of bad and good ones. */
public class WorkerConfigOracle {
    static String json(Object value) {
        if (value == null) return "null";
        StringBuilder out = new StringBuilder("\"");
        for (char c : value.toString().toCharArray()) {
            if (c == '"' || c == '\\') out.append('\\').append(c);
            else if (c < 32) out.append(String.format("\\u%04x", (int) c));
            else out.append(c);
        }
        return out.append('"').toString();
    }

    static void keys(String mode, ConfigDef def) {
        for (ConfigDef.ConfigKey key : def.configKeys().values()) {
            if (key.internalConfig) continue;
            Object fallback = key.defaultValue;
            String text = fallback == ConfigDef.NO_DEFAULT_VALUE || fallback == null ? null : ConfigDef.convertToString(fallback, key.type);
            System.out.println("{\"mode\":" + json(mode) + ",\"key\":" + json(key.name) + ",\"type\":" + json(key.type)
                + ",\"required\":" + (fallback == ConfigDef.NO_DEFAULT_VALUE) + ",\"default\":" + json(text)
                + ",\"importance\":" + json(key.importance) + "}");
        }
    }

    static Map<String, String> base(String mode) {
        Map<String, String> props = new HashMap<>();
        props.put("bootstrap.servers", "localhost:1");
        props.put("key.converter", "org.apache.kafka.connect.json.JsonConverter");
        props.put("value.converter", "org.apache.kafka.connect.json.JsonConverter");
        if (mode.equals("standalone")) {
            props.put("offset.storage.file.filename", "/tmp/offsets");
        } else {
            props.put("group.id", "g");
            props.put("offset.storage.topic", "o");
            props.put("config.storage.topic", "c");
            props.put("status.storage.topic", "s");
        }
        return props;
    }

    static void answer(String mode, String key, String value) {
        Map<String, String> props = base(mode);
        if (value == null) props.remove(key); else props.put(key, value);
        String said = null;
        try {
            WorkerConfig made = mode.equals("standalone") ? new StandaloneConfig(props) : new DistributedConfig(props);
        } catch (Throwable error) {
            said = error.getMessage() == null ? error.toString() : error.getMessage();
        }
        System.out.println("{\"mode\":" + json(mode) + ",\"set\":" + json(key) + ",\"to\":" + json(value) + ",\"says\":" + json(said) + "}");
    }

    public static void main(String[] args) throws Exception {
        java.lang.reflect.Method method = null;
        for (java.lang.reflect.Method one : DistributedConfig.class.getDeclaredMethods())
            if (one.getName().equals("config") && one.getParameterCount() == 1) method = one;
        method.setAccessible(true);
        ConfigDef distributed = (ConfigDef) method.invoke(null, org.apache.kafka.connect.runtime.distributed.Crypto.SYSTEM);
        java.lang.reflect.Field field = StandaloneConfig.class.getDeclaredField("CONFIG");
        field.setAccessible(true);
        ConfigDef standalone = (ConfigDef) field.get(null);
        keys("distributed", distributed);
        keys("standalone", standalone);
        String[] values = {"", " ", "0", "-1", "-2", "1", "2147483648", "9223372036854775808", "1.5", "x", "true", "TRUE ", "yes", "a,b", ",", "a,,b"};
        for (Map.Entry<String, ConfigDef> one : Map.of("distributed", distributed, "standalone", standalone).entrySet()) {
            for (String key : new TreeSet<>(one.getValue().configKeys().keySet())) {
                if (one.getValue().configKeys().get(key).internalConfig) continue;
                for (String value : values) answer(one.getKey(), key, value);
            }
            for (String key : new TreeSet<>(base(one.getKey()).keySet())) answer(one.getKey(), key, null);
        }
        String[][] more = {
            {"listeners", "http://:8083"}, {"listeners", "http://a:1,https://b:2"}, {"listeners", "http://a:1, ,http://b:2"},
            {"listeners", "ftp://a:1"}, {"listeners", "http://a"}, {"listeners", "http://a:b"}, {"listeners", "http://a:99999"},
            {"admin.listeners", "http://a:1"}, {"admin.listeners", "ftp://a:1"}, {"admin.listeners", "x"},
            {"response.http.headers.config", "add X: 1"}, {"response.http.headers.config", "do X: 1"}, {"response.http.headers.config", "add X"},
            {"response.http.headers.config", "add X Y: 1"}, {"response.http.headers.config", "add"}, {"response.http.headers.config", "set X: 1, \"add Y: a, b\""},
            {"response.http.headers.config", "setDate X: 1"}, {"response.http.headers.config", "add X: 1: 2"},
            {"connect.protocol", "EAGER"}, {"connect.protocol", "Sessioned"}, {"exactly.once.source.support", "ENABLED"},
            {"ssl.client.auth", "required"}, {"ssl.client.auth", "REQUIRED"}, {"ssl.endpoint.identification.algorithm", ""},
            {"inter.worker.signature.algorithm", "HmacSHA512"}, {"inter.worker.verification.algorithms", "HmacSHA512"},
            {"inter.worker.verification.algorithms", "HmacSHA256,HmacSHA512"}, {"inter.worker.key.generation.algorithm", "HmacMD4"},
            {"security.protocol", "ssl"}, {"security.protocol", "SASL_SSL"}, {"metadata.recovery.strategy", "NONE"},
            {"plugin.discovery", "ONLY_SCAN"}, {"metrics.recording.level", "TRACE"}, {"metrics.recording.level", "DEBUG"},
            {"client.dns.lookup", "default"}, {"config.storage.replication.factor", "-1"}, {"status.storage.partitions", "-1"},
            {"bootstrap.servers", "a:1,b:2"}, {"rest.advertised.listener", "HTTPS"}, {"rest.advertised.listener", "http"},
        };
        for (String[] one : more) answer("distributed", one[0], one[1]);
    }
}
