export { memory, pipe, Premier } from '../../dist/index.mjs';

/** A method under a policy, as a user's class has it, called on one instance. */
export function decorated(policy, work) {
  class Service {}
  const descriptor = { value: work, configurable: true, writable: true, enumerable: false };
  policy(Service.prototype, 'find', descriptor);
  Object.defineProperty(Service.prototype, 'find', descriptor);
  const service = new Service();
  return (argument) => service.find(argument);
}
