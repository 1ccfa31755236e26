import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import org.sourcelab.kafka.connect.apiclient.Configuration;
import org.sourcelab.kafka.connect.apiclient.KafkaConnectClient;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorPluginConfigDefinition;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorStatus;
import org.sourcelab.kafka.connect.apiclient.request.dto.NewConnectorDefinition;
import org.sourcelab.kafka.connect.apiclient.rest.exceptions.InvalidRequestException;
import org.sourcelab.kafka.connect.apiclient.rest.exceptions.ResourceNotFoundException;

/** org.sourcelab:kafka-connect-client 4.0.5, which AKHQ uses, through its life cycle, unchanged. */
public class LifeCycle {
    static final long PATIENCE = 60_000;

    static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    static void until(String what, Callable<Boolean> holds) throws Exception {
        long deadline = System.currentTimeMillis() + PATIENCE;
        while (!holds.call()) {
            check(System.currentTimeMillis() < deadline, "never: " + what);
            Thread.sleep(50);
        }
    }

    static List<String> states(KafkaConnectClient client, String name) {
        ConnectorStatus status;
        try {
            status = client.getConnectorStatus(name);
        } catch (ResourceNotFoundException early) {
            // Right after its creation a connector has no status.
            return List.of();
        }
        return Stream.concat(
            Stream.of(status.getConnector().get("state")),
            status.getTasks().stream().map(ConnectorStatus.TaskStatus::getState)).collect(Collectors.toList());
    }

    public static void main(String[] args) throws Exception {
        String name = "sourcelab";
        Path file = Path.of(args[1], name + ".txt");
        Files.writeString(file, "one\ntwo\n");
        Map<String, String> config = new HashMap<>(Map.of(
            "connector.class", "FileStreamSource", "tasks.max", "1",
            "file", file.toString(), "topic", "clients-sourcelab"));
        KafkaConnectClient client = new KafkaConnectClient(new Configuration(args[0]));

        check(client.getConnectServerVersion().getVersion().startsWith("4."), "version");
        check(!client.getConnectorPlugins().isEmpty(), "plugins");
        Map<String, String> named = new HashMap<>(config);
        named.put("name", name);
        check(client.validateConnectorPluginConfig(
            new ConnectorPluginConfigDefinition("FileStreamSource", named)).getErrorCount() == 0, "validate");
        client.addConnector(new NewConnectorDefinition(name, config));
        check(client.getConnectors().contains(name), "listed");
        List<String> running = List.of("RUNNING", "RUNNING");
        until("running", () -> states(client, name).equals(running));
        check(client.getConnectorsWithExpandedStatus().getAllStatuses().size() > 0, "statuses");
        check(client.getConnectorsWithExpandedInfo().getAllDefinitions().size() > 0, "definitions");
        check(client.getConnectorsWithAllExpandedMetadata().getAllStatuses().size() > 0, "metadata");
        check(client.getConnectorConfig(name).equals(named), "the configuration as it was given");
        config.put("batch.size", "9");
        client.updateConnectorConfig(name, config);
        check("9".equals(client.getConnector(name).getConfig().get("batch.size")), "updated");
        until("running", () -> states(client, name).equals(running));
        check(client.getConnectorTasks(name).size() == 1, "tasks");
        until("task running", () -> "RUNNING".equals(client.getConnectorTaskStatus(name, 0).getState()));
        client.restartConnectorTask(name, 0);
        client.restartConnector(name);
        client.pauseConnector(name);
        until("paused", () -> states(client, name).equals(List.of("PAUSED", "PAUSED")));
        client.resumeConnector(name);
        until("running", () -> states(client, name).equals(running));
        client.getConnectorTopics(name);
        client.resetConnectorTopics(name);
        client.stopConnector(name);
        until("stopped", () -> states(client, name).equals(List.of("STOPPED")));
        try {
            client.addConnector(new NewConnectorDefinition("bad", Map.of("connector.class", "FileStreamSource")));
            throw new AssertionError("a configuration without a topic was taken");
        } catch (InvalidRequestException refused) {
            check(refused.getMessage().contains("topic"), refused.getMessage());
        }
        client.deleteConnector(name);
        try {
            client.getConnector(name);
            throw new AssertionError("a deleted connector was found");
        } catch (ResourceNotFoundException gone) {
            System.out.println("ok sourcelab");
        }
    }
}
