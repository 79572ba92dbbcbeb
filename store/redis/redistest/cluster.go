package redistest

import (
	"fmt"
	"strings"
)

// Cluster is a Redis Cluster.
type Cluster struct {
	// Servers are the nodes: first those that begin as masters, then one
	// replica of each, if there are replicas.
	Servers []*Server

	replicas bool
}

// slots is how many hash slots a cluster has.
const slots = 16_384

// StartCluster starts a cluster of some masters, each with a replica if asked
// for, and waits until it is complete. A node is taken for dead after a second.
func StartCluster(c Config, masters int, replicas bool) (_ *Cluster, err error) {
	all := &Cluster{replicas: replicas}
	defer func() {
		if err != nil {
			all.Close()
		}
	}()
	args := append([]string{
		"--save", "", "--appendonly", "yes", "--appendfsync", "always", "--no-appendfsync-on-rewrite", "no",
		"--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--repl-diskless-sync-delay", "0",
		"--repl-ping-replica-period", "1",
	}, c.Args...)
	n := masters
	if replicas {
		n *= 2
		args = append([]string{"--min-replicas-to-write", "1", "--min-replicas-max-lag", "10"}, args...)
	}
	for range n {
		server, err := start(args, true)
		if err != nil {
			return nil, err
		}
		all.Servers = append(all.Servers, server)
	}
	for i, server := range all.Servers {
		if i < masters {
			do := []string{"CLUSTER", "ADDSLOTS"}
			for slot := i * slots / masters; slot < (i+1)*slots/masters; slot++ {
				do = append(do, fmt.Sprint(slot))
			}
			if _, err := server.Do(do...); err != nil {
				return nil, err
			}
		}
		// Nodes with one epoch would quarrel about it first.
		if _, err := server.Do("CLUSTER", "SET-CONFIG-EPOCH", fmt.Sprint(i+1)); err != nil {
			return nil, err
		}
	}
	for _, server := range all.Servers[1:] {
		if _, err := server.Do("CLUSTER", "MEET", "127.0.0.1", fmt.Sprint(all.Servers[0].port)); err != nil {
			return nil, err
		}
	}
	if err := all.Settled(); err != nil {
		return nil, err
	}
	for i, server := range all.Servers[masters:] {
		id, err := all.Servers[i].Do("CLUSTER", "MYID")
		if err != nil {
			return nil, err
		}
		if _, err := server.Do("CLUSTER", "REPLICATE", fmt.Sprint(id)); err != nil {
			return nil, err
		}
	}
	return all, all.Followed()
}

// Followed waits until each master has as many replicas in step as it began
// with.
func (c *Cluster) Followed() error {
	if !c.replicas {
		return nil
	}
	return wait("the replicas to follow", func() bool {
		followed := 0
		for _, server := range c.Servers {
			if _, copied, err := server.offsets(); err == nil && len(copied) > 0 {
				followed++
			}
		}
		return followed == len(c.Servers)/2
	})
}

// KillMaster kills the master of one of the parts that the cluster began with,
// waits until its replica has taken its place, and starts it again, to follow.
// There are replicas. Until there is one again, nothing can be written to the
// part.
func (c *Cluster) KillMaster(part int) error {
	master, replica := c.Servers[part], c.Servers[part+len(c.Servers)/2]
	if _, _, err := master.offsets(); err != nil {
		master, replica = replica, master
	}
	if err := master.Kill(); err != nil {
		return err
	}
	if err := wait("a replica to take over", func() bool {
		_, _, err := replica.offsets()
		return err == nil
	}); err != nil {
		return err
	}
	if err := master.Restart(); err != nil {
		return err
	}
	if err := c.Settled(); err != nil {
		return err
	}
	return c.Followed()
}

// MoveKey moves the hash slot of a key, with all keys in it, to another master,
// while the cluster is used. There are no replicas.
func (c *Cluster) MoveKey(key string) error {
	reply, err := c.Servers[0].Do("CLUSTER", "KEYSLOT", key)
	if err != nil {
		return err
	}
	slot := fmt.Sprint(reply)
	var ids []string
	from := -1
	for i, server := range c.Servers {
		id, err := server.Do("CLUSTER", "MYID")
		if err != nil {
			return err
		}
		ids = append(ids, fmt.Sprint(id))
		if n, err := server.Do("CLUSTER", "COUNTKEYSINSLOT", slot); err == nil && n != int64(0) {
			from = i
		}
	}
	if from < 0 {
		return fmt.Errorf("redistest: no key in slot %s", slot)
	}
	to := (from + 1) % len(c.Servers)
	if _, err := c.Servers[to].Do("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[from]); err != nil {
		return err
	}
	if _, err := c.Servers[from].Do("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[to]); err != nil {
		return err
	}
	for {
		reply, err := c.Servers[from].Do("CLUSTER", "GETKEYSINSLOT", slot, "10")
		if err != nil {
			return err
		}
		keys, _ := reply.([]any)
		if len(keys) == 0 {
			break
		}
		do := []string{"MIGRATE", "127.0.0.1", fmt.Sprint(c.Servers[to].port), "", "0", "10000", "KEYS"}
		for _, key := range keys {
			do = append(do, fmt.Sprint(key))
		}
		if _, err := c.Servers[from].Do(do...); err != nil {
			return err
		}
	}
	for _, i := range []int{to, from} {
		if _, err := c.Servers[i].Do("CLUSTER", "SETSLOT", slot, "NODE", ids[to]); err != nil {
			return err
		}
	}
	return nil
}

// Addrs returns the addresses of all nodes.
func (c *Cluster) Addrs() []string {
	var list []string
	for _, server := range c.Servers {
		list = append(list, server.Addr())
	}
	return list
}

// Settled waits until all running nodes say that the cluster is complete and
// know as many nodes as there are.
func (c *Cluster) Settled() error {
	return wait("the cluster to be complete", func() bool {
		for _, server := range c.Servers {
			server.mu.Lock()
			running := server.process != nil
			server.mu.Unlock()
			if !running {
				continue
			}
			info, err := server.Do("CLUSTER", "INFO")
			text, _ := info.(string)
			if err != nil || !strings.Contains(text, "cluster_state:ok") ||
				!strings.Contains(text, fmt.Sprintf("cluster_known_nodes:%d\r\n", len(c.Servers))) {
				return false
			}
		}
		return true
	})
}

// Close ends all nodes.
func (c *Cluster) Close() {
	for _, server := range c.Servers {
		server.Close()
	}
}
