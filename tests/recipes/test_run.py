def test_x(recipe, run):
    import time
    for i in range(2):
        t=time.time(); import cProfile,pstats
        p=cProfile.Profile(); p.enable()
        run(recipe, name=f"r{i}"); p.disable(); print(time.time()-t)
    pstats.Stats(p).sort_stats("cumtime").print_stats(45)
