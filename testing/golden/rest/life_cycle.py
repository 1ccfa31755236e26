"""Compares the answers of a Java worker and of Milena along connectors' lives: python3 life_cycle.py JAVA_PORT MILENA_PORT"""
import http.client, json, sys, time
def run(port):
    out=[]
    def c(m,p,b=None,wait=0):
        time.sleep(wait)
        k=http.client.HTTPConnection('127.0.0.1',port,timeout=30)
        k.request(m,p,None if b is None else (b if isinstance(b,str) else json.dumps(b)),{'Content-Type':'application/json'} if b is not None else {})
        r=k.getresponse(); t=r.read().decode()
        try: t=json.dumps(json.loads(t),sort_keys=True)
        except ValueError: pass
        out.append(((m,p,b if b is None else json.dumps(b)[:150]),r.status,r.getheader('Location','').replace(str(port),'P'),t.replace(str(port),'P')))
    f=f'/tmp/in-{port}.txt'; open(f,'w').write('a\nb\n')
    src={"connector.class":"FileStreamSource","file":"/tmp/in-%d.txt"%port,"topic":"t%d"%port}
    W=2.5
    c('POST','/connectors',{"name":"src","config":src})
    c('GET','/connectors/src/status',wait=W); c('GET','/connectors/src'); c('GET','/connectors/src/config'); c('GET','/connectors/src/tasks'); c('GET','/connectors/src/tasks/0/status'); c('GET','/connectors/src/tasks/7/status')
    c('POST','/connectors',{"name":"src","config":src}); c('POST','/connectors',{"name":"src","config":{"connector.class":"FileStreamSource"}})
    c('GET','/connectors?expand=info&expand=status')
    c('GET','/connectors/src/topics',wait=1); c('GET','/connectors/src/offsets',wait=1)
    c('PATCH','/connectors/src/offsets',{"offsets":[{"partition":{"filename":"x"},"offset":{"position":1}}]}); c('DELETE','/connectors/src/offsets')
    c('PUT','/connectors/src/pause'); c('GET','/connectors/src/status',wait=W); c('PUT','/connectors/src/resume'); c('GET','/connectors/src/status',wait=W)
    c('POST','/connectors/src/restart'); c('GET','/connectors/src/status',wait=1)
    c('POST','/connectors/src/restart?includeTasks=true'); c('GET','/connectors/src/status',wait=W)
    c('POST','/connectors/src/restart?onlyFailed=true')
    c('POST','/connectors/src/tasks/0/restart'); c('POST','/connectors/src/tasks/9/restart'); c('POST','/connectors/src/tasks/-1/restart')
    c('PUT','/connectors/src/stop',wait=1); c('GET','/connectors/src/status',wait=W); c('GET','/connectors/src/tasks'); c('GET','/connectors/src')
    c('GET','/connectors/src/offsets')
    for o in ([{"partition":{"filename":"x"},"offset":{}}],[{"partition":{"filename":"x"},"offset":{"position":"1"}}],[{"partition":{"filename":"x"},"offset":{"position":-1}}],[{"partition":{"a":1},"offset":{"position":1}}],[{"partition":None,"offset":{"position":1}}],[{"partition":{"filename":{"a":1}},"offset":{"position":1}}],[None],[{"partition":{"filename":"/tmp/x"},"offset":{"position":7}}],[{"partition":{"filename":"/tmp/x"},"offset":None}]):
        c('PATCH','/connectors/src/offsets',{"offsets":o})
    c('GET','/connectors/src/offsets',wait=1); c('GET','/connectors/src/offsets',wait=1)
    c('POST','/connectors/src/restart',wait=1); c('POST','/connectors/src/restart?includeTasks=true'); c('GET','/connectors/src/status',wait=W)
    c('DELETE','/connectors/src/offsets',wait=1); c('GET','/connectors/src/offsets',wait=1); c('GET','/connectors/src/offsets',wait=1)
    c('PUT','/connectors/src/config',{**src,"tasks.max":"2"}); c('GET','/connectors/src/status',wait=W)
    c('PATCH','/connectors/src/config',{"batch.size":"10","tasks.max":None}); c('PATCH','/connectors/src/config',{"topic":None}); c('PATCH','/connectors/src/config',{"connector.class":None}); c('PATCH','/connectors/src/config',{"name":None})
    c('PUT','/connectors/src/resume'); c('GET','/connectors/src/status',wait=W)
    c('PUT','/connectors/src/topics/reset')
    c('POST','/connectors',{"name":"st","config":src|{"topic":"t2"},"initial_state":"stopped"}); c('GET','/connectors/st/status',wait=W); c('PUT','/connectors/st/pause'); c('GET','/connectors/st/status',wait=W)
    sink={"connector.class":"FileStreamSink","topics":"t%d"%port,"file":"/tmp/out-%d.txt"%port}
    c('PUT','/connectors/snk/config',sink); c('GET','/connectors/snk/status',wait=4); c('GET','/connectors/snk/offsets',wait=2); c('PATCH','/connectors/snk/offsets',{"offsets":[{"partition":{"kafka_topic":"x"},"offset":None}]})
    c('PUT','/connectors/snk/stop'); c('GET','/connectors/snk/status',wait=W)
    for o in ([{"partition":None,"offset":None}],[{"partition":{"kafka_topic":"x"},"offset":None}],[{"partition":{"kafka_topic":None,"kafka_partition":0},"offset":None}],[{"partition":{"kafka_topic":"x","kafka_partition":"q"},"offset":None}],[{"partition":{"kafka_topic":"x","kafka_partition":0},"offset":{}}],[{"partition":{"kafka_topic":"x","kafka_partition":0},"offset":{"kafka_offset":"q"}}],[{"partition":{"kafka_topic":"t%d"%port,"kafka_partition":0},"offset":{"kafka_offset":1}}]):
        c('PATCH','/connectors/snk/offsets',{"offsets":o},wait=.3)
    c('GET','/connectors/snk/offsets'); c('DELETE','/connectors/snk/offsets'); c('GET','/connectors/snk/offsets')
    c('POST','/connectors',{"name":"bad","config":{"connector.class":"FileStreamSink","topics":"q","file":"/nonexistent/x"}}); c('GET','/connectors/bad/status',wait=4)
    c('POST','/connectors',{"name":"n","config":{"connector.class":"Nope"}})
    for n in ('src','st','snk','bad'): c('DELETE','/connectors/'+n)
    c('DELETE','/connectors/src'); c('GET','/connectors',wait=1); c('GET','/connectors/src/status',wait=W)
    return out
import concurrent.futures as cf
with cf.ThreadPoolExecutor() as ex: a,b=ex.map(run,map(int,sys.argv[1:3]))
n=0
for x,y in zip(a,b):
    if x[1:]!=y[1:]:
        n+=1; print(x[0]); print('   java  ',x[1],x[2],x[3][:420]); print('   milena',y[1],y[2],y[3][:420])
print(len(a),'calls',n,'differ')
