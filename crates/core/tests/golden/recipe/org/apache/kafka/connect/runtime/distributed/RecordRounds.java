// Records what the incremental cooperative assignor answers, round by round. With the jars of Apache Kafka 4.3.1:
//   javac -cp "$JARS" org/apache/kafka/connect/runtime/distributed/RecordRounds.java
//   java -cp "$JARS:." org.apache.kafka.connect.runtime.distributed.RecordRounds > ../connect-rounds.jsonl
package org.apache.kafka.connect.runtime.distributed;

import java.lang.reflect.Proxy;
import java.util.*;
import org.apache.kafka.common.utils.*;
import org.apache.kafka.connect.storage.ClusterConfigState;
import org.apache.kafka.connect.util.ConnectorTaskId;

public class RecordRounds {
    static long now;

    static final class Worker {
        TreeSet<String> connectors = new TreeSet<>();
        TreeSet<ConnectorTaskId> tasks = new TreeSet<>();
    }

    public static void main(String[] args) {
        Random random = new Random(20261121);
        for (int chain = 0; chain < 80; chain++) chain(chain, random);
    }

    static void chain(int chain, Random random) {
        now = 1_000_000;
        Time time = (Time) Proxy.newProxyInstance(RecordRounds.class.getClassLoader(), new Class<?>[] {Time.class},
            (proxy, method, arguments) -> method.getName().equals("milliseconds") ? (Object) now : null);
        int maxDelay = new int[] {300_000, 300_000, 60_000, 0}[random.nextInt(4)];
        IncrementalCooperativeAssignor assignor = new IncrementalCooperativeAssignor(new LogContext(), time, maxDelay);
        TreeMap<String, Worker> workers = new TreeMap<>();
        TreeMap<String, Integer> connectors = new TreeMap<>();
        int nextWorker = 0;
        int nextConnector = 0;
        for (int i = 0; i < 1 + random.nextInt(3); i++) workers.put("" + (char) ('a' + nextWorker++), new Worker());
        for (int i = 0; i < random.nextInt(4); i++) connectors.put("k" + nextConnector++, random.nextInt(6));
        int generation = 0;
        int completed = -1;
        for (int round = 0; round < 16; round++) {
            generation++;
            Map<String, WorkerCoordinator.ConnectorsAndTasks> held = new TreeMap<>();
            StringBuilder line = new StringBuilder("{\"chain\":" + chain + ",\"max_delay\":" + maxDelay + ",\"now\":" + now
                + ",\"completed\":" + completed + ",\"generation\":" + generation + ",\"configured\":{");
            connectors.forEach((c, n) -> line.append('"').append(c).append("\":").append(n).append(','));
            trim(line).append("},\"held\":{");
            workers.forEach((id, w) -> {
                held.put(id, new WorkerCoordinator.ConnectorsAndTasks.Builder()
                    .with(new ArrayList<>(w.connectors), new ArrayList<>(w.tasks)).build());
                work(line, id, w.connectors, w.tasks);
            });
            IncrementalCooperativeAssignor.ClusterAssignment result =
                assignor.performTaskAssignment(state(connectors), completed, generation, held);
            trim(line).append("},\"delay\":" + assignor.delay + ",\"assigned\":{");
            for (String id : workers.keySet()) work(line, id, result.newlyAssignedConnectors(id), result.newlyAssignedTasks(id));
            trim(line).append("},\"revoked\":{");
            for (String id : workers.keySet()) work(line, id, result.newlyRevokedConnectors(id), result.newlyRevokedTasks(id));
            System.out.println(trim(line).append("}}"));
            boolean heard = random.nextInt(10) > 0;
            if (heard) completed = generation;
            boolean revoked = false;
            for (Map.Entry<String, Worker> entry : workers.entrySet()) {
                if (!heard || random.nextInt(20) == 0) continue;
                String id = entry.getKey();
                Worker w = entry.getValue();
                revoked |= !result.newlyRevokedConnectors(id).isEmpty() || !result.newlyRevokedTasks(id).isEmpty();
                w.connectors.removeAll(result.newlyRevokedConnectors(id));
                w.tasks.removeAll(result.newlyRevokedTasks(id));
                w.connectors.addAll(result.newlyAssignedConnectors(id));
                w.tasks.addAll(result.newlyAssignedTasks(id));
            }
            if (revoked && random.nextInt(4) > 0) { now += random.nextInt(3); continue; }
            switch (random.nextInt(8)) {
                case 0, 1 -> workers.put("" + (char) ('a' + nextWorker++ % 14), new Worker());
                case 2 -> { if (workers.size() > 1) workers.remove(new ArrayList<>(workers.keySet()).get(random.nextInt(workers.size()))); }
                case 3 -> connectors.put("k" + nextConnector++, random.nextInt(6));
                case 4 -> { if (!connectors.isEmpty()) connectors.remove(connectors.firstKey()); }
                case 5 -> { if (!connectors.isEmpty()) connectors.merge(connectors.lastKey(), 1, Integer::sum); }
                default -> { }
            }
            now += new int[] {1, 50, 1700, 30_000, 61_000, 301_000}[random.nextInt(6)];
        }
    }

    static ClusterConfigState state(TreeMap<String, Integer> connectors) {
        Map<String, Map<String, String>> configs = new HashMap<>();
        Map<ConnectorTaskId, Map<String, String>> tasks = new HashMap<>();
        connectors.forEach((c, n) -> {
            configs.put(c, Map.of());
            for (int i = 0; i < n; i++) tasks.put(new ConnectorTaskId(c, i), Map.of());
        });
        return new ClusterConfigState(1, null, connectors, configs, Map.of(), tasks, Map.of(), Map.of(), Map.of(), Set.of(), Set.of());
    }

    static void work(StringBuilder line, String id, Collection<String> connectors, Collection<ConnectorTaskId> tasks) {
        if (connectors == null) connectors = List.of();
        if (tasks == null) tasks = List.of();
        line.append('"').append(id).append("\":[");
        for (String c : new TreeSet<>(connectors)) line.append('"').append(c).append("\",");
        for (ConnectorTaskId t : new TreeSet<>(tasks)) line.append('"').append(t).append("\",");
        trim(line).append("],");
    }

    static StringBuilder trim(StringBuilder line) {
        if (line.charAt(line.length() - 1) == ',') line.setLength(line.length() - 1);
        return line;
    }
}
