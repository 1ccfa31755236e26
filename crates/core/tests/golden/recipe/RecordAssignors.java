// Records what Kafka's consumer assignors answer. Compile and run with the client jars of Apache Kafka 4.3.1:
//   javac -cp "$JARS" RecordAssignors.java && java -cp "$JARS:." RecordAssignors > ../consumer-assignors.jsonl
// Member and topic names are single letters, so that hash order is alphabetical and the answers do not depend on it.
import java.nio.ByteBuffer;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.*;
import org.apache.kafka.common.*;

public class RecordAssignors {
    static final class Member {
        List<String> topics;
        String instance;
        List<TopicPartition> owned = new ArrayList<>();
        int generation = -1;
    }

    public static void main(String[] args) {
        Random random = new Random(20261121);
        for (String name : List.of("range", "roundrobin", "sticky", "cooperative-sticky")) {
            for (int chain = 0; chain < (name.contains("sticky") ? 60 : 25); chain++) chain(name, chain, random);
        }
    }

    static void chain(String name, int chain, Random random) {
        TreeMap<String, Integer> topics = new TreeMap<>();
        for (int i = 0; i < 1 + random.nextInt(4); i++) topics.put("" + (char) ('t' + i), random.nextInt(8));
        TreeMap<String, Member> members = new TreeMap<>();
        boolean same = random.nextBoolean();
        int generation = 0;
        int next = 0;
        for (int i = 0; i < 1 + random.nextInt(6); i++) next = join(members, next, topics, same, random);
        for (int round = 0; round < 6; round++) {
            Map<String, List<TopicPartition>> shares = record(name, topics, members);
            generation++;
            for (Map.Entry<String, Member> entry : members.entrySet()) {
                if (random.nextInt(12) == 0) continue; // did not hear of it
                entry.getValue().owned = new ArrayList<>(shares.get(entry.getKey()));
                entry.getValue().generation = generation;
            }
            switch (random.nextInt(6)) {
                case 0 -> { if (next < 12) next = join(members, next, topics, same, random); }
                case 1 -> { if (members.size() > 1) members.remove(new ArrayList<>(members.keySet()).get(random.nextInt(members.size()))); }
                case 2 -> topics.merge("t", 1, Integer::sum);
                case 3 -> { if (topics.size() > 1 && random.nextBoolean()) topics.remove(topics.lastKey()); }
                case 4 -> { if (!same) members.firstEntry().getValue().topics = some(topics, random); }
                default -> { }
            }
        }
    }

    static int join(TreeMap<String, Member> members, int next, TreeMap<String, Integer> topics, boolean same, Random random) {
        Member member = new Member();
        member.topics = same ? List.of("t", "u", "v", "w") : some(topics, random);
        if (random.nextInt(8) == 0) member.instance = "i" + (12 - next);
        members.put("" + (char) ('a' + next), member);
        return next + 1;
    }

    static List<String> some(TreeMap<String, Integer> topics, Random random) {
        List<String> some = new ArrayList<>();
        for (String topic : topics.keySet()) if (random.nextInt(3) > 0) some.add(topic);
        if (some.isEmpty()) some.add(topics.firstKey());
        return some;
    }

    static Map<String, List<TopicPartition>> record(String name, TreeMap<String, Integer> topics, TreeMap<String, Member> members) {
        List<PartitionInfo> infos = new ArrayList<>();
        topics.forEach((topic, count) -> { for (int i = 0; i < count; i++) infos.add(new PartitionInfo(topic, i, null, null, null)); });
        Cluster cluster = new Cluster("c", List.of(), infos, Set.of(), Set.of());
        Map<String, Subscription> subscriptions = new TreeMap<>();
        StringBuilder line = new StringBuilder("{\"assignor\":\"" + name + "\",\"topics\":{");
        topics.forEach((topic, count) -> line.append('"').append(topic).append("\":").append(count).append(','));
        trim(line).append("},\"members\":{");
        members.forEach((id, member) -> {
            ByteBuffer data = null;
            List<TopicPartition> owned = List.of();
            int generation = -1;
            if (name.equals("sticky") && member.generation >= 0) {
                StickyAssignor assignor = new StickyAssignor();
                assignor.onAssignment(new Assignment(member.owned), new ConsumerGroupMetadata("g", member.generation, id, Optional.empty()));
                data = assignor.subscriptionUserData(new HashSet<>(member.topics));
            } else if (name.equals("cooperative-sticky")) {
                CooperativeStickyAssignor assignor = new CooperativeStickyAssignor();
                if (member.generation >= 0) assignor.onAssignment(new Assignment(member.owned), new ConsumerGroupMetadata("g", member.generation, id, Optional.empty()));
                data = assignor.subscriptionUserData(new HashSet<>(member.topics));
                owned = member.owned;
                generation = member.generation;
            }
            Subscription subscription = new Subscription(member.topics, data, owned, generation, Optional.empty());
            subscription.setGroupInstanceId(Optional.ofNullable(member.instance));
            ByteBuffer bytes = org.apache.kafka.clients.consumer.internals.ConsumerProtocol.serializeSubscription(subscription);
            line.append('"').append(id).append("\":{\"metadata\":\"").append(HexFormat.of().formatHex(bytes.array(), bytes.position(), bytes.limit())).append('"');
            if (member.instance != null) line.append(",\"instance\":\"").append(member.instance).append('"');
            line.append("},");
            subscriptions.put(id, subscription);
        });
        ConsumerPartitionAssignor assignor = switch (name) {
            case "range" -> new RangeAssignor();
            case "roundrobin" -> new RoundRobinAssignor();
            case "sticky" -> new StickyAssignor();
            default -> new CooperativeStickyAssignor();
        };
        Map<String, Assignment> result = assignor.assign(cluster, new GroupSubscription(subscriptions)).groupAssignment();
        trim(line).append("},\"shares\":{");
        Map<String, List<TopicPartition>> shares = new TreeMap<>();
        new TreeMap<>(result).forEach((id, assignment) -> {
            List<TopicPartition> sorted = new ArrayList<>(assignment.partitions());
            sorted.sort(Comparator.comparing(TopicPartition::topic).thenComparingInt(TopicPartition::partition));
            shares.put(id, assignment.partitions());
            line.append('"').append(id).append("\":[");
            sorted.forEach(p -> line.append('"').append(p).append("\","));
            trim(line).append("],");
        });
        System.out.println(trim(line).append("}}"));
        return shares;
    }

    static StringBuilder trim(StringBuilder line) {
        if (line.charAt(line.length() - 1) == ',') line.setLength(line.length() - 1);
        return line;
    }
}
