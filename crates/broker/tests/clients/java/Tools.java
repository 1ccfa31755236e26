// Runs the main classes of Apache Kafka's tools one after the other in one process, as a shell would run
// them: a line of standard input is a class, its standard input and its arguments, with tabs between; the
// answer is the exit code and all it printed, in base 64.

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.util.Arrays;
import java.util.Base64;
import org.apache.kafka.common.utils.Exit;

public final class Tools {
    private static final class Ended extends Error {
        final int code;

        Ended(int code) {
            super("exit " + code, null, false, false);
            this.code = code;
        }
    }

    public static void main(String[] args) throws Exception {
        ThreadLocal<Integer> first = new ThreadLocal<>();
        Exit.setExitProcedure((code, message) -> {
            // A tool that catches everything ends a second time; the first code is meant.
            if (first.get() == null) first.set(code);
            throw new Ended(first.get());
        });
        PrintStream out = System.out;
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] parts = line.split("\t", -1);
            ByteArrayOutputStream said = new ByteArrayOutputStream();
            PrintStream print = new PrintStream(said, true);
            System.setOut(print);
            System.setErr(print);
            System.setIn(new ByteArrayInputStream(parts[1].replace("\\n", "\n").getBytes()));
            first.remove();
            int code = 0;
            try {
                Class.forName(parts[0]).getMethod("main", String[].class)
                    .invoke(null, (Object) Arrays.copyOfRange(parts, 2, parts.length));
            } catch (InvocationTargetException e) {
                if (e.getCause() instanceof Ended ended) {
                    code = ended.code;
                } else {
                    e.getCause().printStackTrace(print);
                    code = 1;
                }
            }
            out.println(code + "\t" + Base64.getEncoder().encodeToString(said.toByteArray()));
        }
        // Threads that a tool left behind hold nobody up.
        Runtime.getRuntime().halt(0);
    }
}
