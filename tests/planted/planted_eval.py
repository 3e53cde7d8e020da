import subprocess,sys,os,re,time
sys.path.insert(0,'/tmp'); import planted_gen as g
env=dict(os.environ,CARGO_TARGET_DIR='/tmp/target-planted',RUST_BACKTRACE='0')
names=sys.argv[1:] or [b[0] for b in g.B]
R='/tmp/wt/planted-run'
subprocess.run(['git','-C','/work/main','worktree','add','-q','--detach',R,'main'])
for n in names:
    subprocess.run(['git','checkout','-q','--','.'],cwd=R)
    p=subprocess.run(['git','apply',f'/tmp/wt/planted/tests/planted/{n}.patch'],cwd=R,capture_output=True,text=True)
    if p.returncode: print(n,'APPLY',p.stderr,flush=True); continue
    t=time.time()
    o=subprocess.run('nice -n 10 timeout 300 cargo test -p tmr-core --lib 2>&1',shell=True,cwd=R,env=env,capture_output=True,text=True).stdout
    fails=re.findall(r'^test (\S+) \.\.\. FAILED',o,re.M)
    err=re.findall(r'^error.*',o,re.M)
    print(f'{n}: core {len(fails)} failed {fails[:6]} {err[:2] if not fails else ""} {time.time()-t:.0f}s',flush=True)
    t=time.time()
    o=subprocess.run('TMR_SEEDS=60 nice -n 10 timeout 400 cargo test --release -p tmr-tests --test cluster 2>&1',shell=True,cwd=R,env=env,capture_output=True,text=True).stdout
    seeds=re.findall(r'^seed (\d+): (\S+) (.{0,70})',o,re.M)
    print(f'   sim {[(a,b,c) for a,b,c in seeds if " at " not in c][:3]} {re.findall("simulated.*|panicked.*",o)[:2]} {time.time()-t:.0f}s',flush=True)
