// How the Java worker orders versions of plugins: each version against each, <, = or >.
// Recipe: java -cp 'LIBS/*' Order.java > order.tsv, where LIBS holds the jars of Apache Kafka 4.3.1.
import org.apache.maven.artifact.versioning.*;
public class Order { public static void main(String[] a){
 String[] vs={"1","1.0","1.0.0","1-0","1-ga","1.final","1-release","1-sp","1-sp1","1a","1-a","1-a1","1a1","1-alpha","1-alpha1","1-alpha-1","1.alpha1","1-b2","1-beta2","1-m1","1-milestone1","1-rc1","1-cr1","1.rc.1","1-SNAPSHOT","1.1-SNAPSHOT","1-1","1.1","1_1","1-x","1-xyz2","1.x1","1.0.0.x1","1.0.0-x2","2","10","9","007","","abc","v1","1.0-1","1.0.1","4.3.1","4.3.1.0","4.3.x","1..2","1--2","1.0.0-rc-3","99999999999","12345678901234567890123","1-99999999999","1.2.3-4.5","1-snapshot-2","1é","1+build"};
 for(String x:vs){StringBuilder b=new StringBuilder();for(String y:vs){int c=Integer.signum(new DefaultArtifactVersion(x).compareTo(new DefaultArtifactVersion(y)));b.append(c<0?'<':c>0?'>':'=');}System.out.println(x+"\t"+b);}
}}
