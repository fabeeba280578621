import { Premier } from 'premier';

export const premier = new Premier();

export interface User {
  readonly id: string;
}

export declare class UsersService {
  find(id: string): Promise<User>;
}

export declare function Controller(path: string): ClassDecorator;
export declare function Get(path: string): MethodDecorator;
export declare function Param(name: string): ParameterDecorator;
