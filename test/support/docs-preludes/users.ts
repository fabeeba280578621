import { Premier } from 'premier';

export const premier = new Premier();

export interface User {
  readonly id: string;
  readonly name: string;
}

export declare const db: {
  user(id: string): Promise<User>;
  users(): Promise<User[]>;
  rename(id: string, name: string): Promise<User>;
};

export declare function fetchUser(id: string): Promise<User>;
