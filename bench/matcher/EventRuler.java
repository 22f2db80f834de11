import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import software.amazon.event.ruler.Machine;

/**
 * Event Ruler's side of the benchmark: the same steps as measure.ts, the same result on stdout.
 *
 * <p>Arguments: file of rules (`id TAB pattern` a line), seconds that loading may take, seconds to measure, seconds to
 * warm up, rounds, alerts to count the matches of, then files of alerts.
 */
public final class EventRuler {
    private static final OperatingSystemMXBean SYSTEM =
        (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

    private final Machine machine = Machine.builder().build();
    private final double measureSeconds;
    private final double warmUpSeconds;
    private final int rounds;
    private final int verified;

    private EventRuler(String[] args) {
        measureSeconds = Double.parseDouble(args[2]);
        warmUpSeconds = Double.parseDouble(args[3]);
        rounds = Integer.parseInt(args[4]);
        verified = Integer.parseInt(args[5]);
    }

    public static void main(String[] args) throws Exception {
        EventRuler run = new EventRuler(args);
        double startedAt = processorSeconds();
        int loaded = run.load(Path.of(args[0]), Double.parseDouble(args[1]));
        double loadSeconds = processorSeconds() - startedAt;
        List<List<String>> corpora = new ArrayList<>();
        for (String file : Arrays.asList(args).subList(6, args.length)) corpora.add(Files.readAllLines(Path.of(file)));
        // All of them before the first is measured: what the second teaches the compiler would be missing from the first.
        for (List<String> alerts : corpora) run.run(alerts, run.warmUpSeconds);
        List<String> measured = new ArrayList<>();
        for (List<String> alerts : corpora) measured.add(run.measure(alerts));
        System.out.printf("{\"loaded\":%d,\"loadS\":%s,\"corpora\":[%s]}%n", loaded, loadSeconds, String.join(",", measured));
    }

    /** Rules from the top of the file until the time is up. */
    private int load(Path file, double boundSeconds) throws IOException {
        long startedAt = System.nanoTime();
        int loaded = 0;
        try (BufferedReader lines = Files.newBufferedReader(file)) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (secondsSince(startedAt) > boundSeconds) break;
                int tab = line.indexOf('\t');
                machine.addRule(line.substring(0, tab), line.substring(tab + 1));
                loaded++;
            }
        }
        return loaded;
    }

    private String measure(List<String> alerts) throws Exception {
        List<String> digests = new ArrayList<>();
        long startedAt = System.nanoTime();
        for (String alert : alerts.subList(0, Math.min(verified, alerts.size()))) {
            digests.add("\"" + digest(machine.rulesForJSONEvent(alert)) + "\"");
            if (secondsSince(startedAt) > 5) break;
        }
        position = 0;
        List<String> rates = new ArrayList<>();
        for (int round = 0; round < rounds; round++) rates.add(String.valueOf(run(alerts, measureSeconds / rounds)));
        return String.format("{\"rates\":[%s],\"digests\":[%s]}", String.join(",", rates), String.join(",", digests));
    }

    private int position = 0;

    /** Alerts a second of processor time. */
    private double run(List<String> alerts, double seconds) throws Exception {
        double startedAt = processorSeconds();
        long done = 0;
        long matches = 0;
        double took;
        do {
            for (int block = 0; block < 16; block++) {
                matches += machine.rulesForJSONEvent(alerts.get(position)).size();
                position = (position + 1) % alerts.size();
                done++;
            }
            took = processorSeconds() - startedAt;
        } while (took < seconds);
        if (matches < 0) throw new IllegalStateException("more matches than a long can count");
        return done / took;
    }

    /** How many rules, and the sum of their numbers, which no other rules of that count are likely to have. */
    private static String digest(List<String> ids) {
        long sum = 0;
        for (String id : ids) sum += Long.parseLong(id.substring(id.length() - 8), 16);
        return ids.size() + ":" + sum;
    }

    /** Of all threads. What else the machine does meanwhile does not count. */
    private static double processorSeconds() {
        return SYSTEM.getProcessCpuTime() / 1e9;
    }

    private static double secondsSince(long nanos) {
        return (System.nanoTime() - nanos) / 1e9;
    }
}
