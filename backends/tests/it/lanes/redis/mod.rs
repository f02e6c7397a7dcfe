//! [`botloom_backends::RedisLanes`]: the contracts on one server and on a cluster, the guards of its scripts, and what it
//! does when Redis is away, slow, full or moving.

mod aside;
mod batches;
mod cluster;
mod faults;
mod fences;
mod guards;
mod link;
mod load;
mod nodes;
mod single;
mod spread;
