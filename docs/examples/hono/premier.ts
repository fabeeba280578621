import { Premier } from 'premier';

/** For the decorators of services. State is in the memory of this process; see the Express example for Redis. */
export const premier = new Premier({ keyspace: 'stars' });
